"""What can be wrong with a patch of the model."""

from powercut.errors import InputError


class PatchError(InputError):
    """A patch that cannot be used; ``name`` is the patch, the message says where and why."""

    def __init__(self, name: str, where: str, message: str, remedy: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message, remedy, place=name)
