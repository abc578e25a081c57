"""Where pictures come from: one module for each layout of the input."""

from data_tools.options import ConversionOptions
from data_tools.sources.picture import Found, SourcePicture

__all__ = ["Found", "SourcePicture", "find_pictures"]


def find_pictures(options: ConversionOptions) -> Found:
    """The pictures of the input, in ascending order of their names, and what is wrong with it.

    Raises:
      UserError: the input as a whole cannot be used: a folder is missing or empty.
    """
    # Imported one by one: tensorflow-datasets loads TensorFlow.
    if options.dataset == "folder":
        from data_tools.sources.folder import find_folder as find_pictures
    elif options.dataset == "tfds":
        from data_tools.sources.tfds import find_tfds as find_pictures
    else:
        from data_tools.sources.paired import find_paired as find_pictures
    return find_pictures(options)
