"""Write every snapshot again, and print the names of those that changed."""

from tests.snapshots import FOLDER, SNAPSHOTS, current

for name in SNAPSHOTS:
    path, text = FOLDER / name, current(name)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        print(name)
