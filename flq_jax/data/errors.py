"""The one error of the data room."""


class DataError(ValueError):
    """A data set is missing, damaged, or not what its name promises.

    The message is one line: the file, what must hold, what came.
    """
