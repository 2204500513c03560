"""The parts of the card that an accelerator is measured by, see `accelerator`."""
