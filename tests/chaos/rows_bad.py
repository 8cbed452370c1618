"""The 80 bad inputs of the scorecard, by group."""

__all__ = ["BAD"]

REFUSED = "refused"
GROUPS: dict[str, tuple[tuple[str, str], ...]] = {
    "audio": (
        ("NaN in a file of floats", REFUSED),
        ("infinity in a file of floats", REFUSED),
        ("minus infinity in a file of floats", REFUSED),
        ("no samples at all", REFUSED),
        ("one sample of sound", "said"),
        ("silence", "taken"),
        ("clipped", "said"),
        ("float64 and int16", "taken, the same numbers"),
        ("three channels", "taken, mixed down"),
        ("another sample rate than the schema's", "taken, resampled"),
        ("a header that says ten hours", REFUSED),
        ("cut in the middle", REFUSED),
        ("an extension that is not the content's", "taken by its content"),
        ("denormal numbers", "taken"),
    ),
    "video": (
        ("empty file", REFUSED),
        ("text named .mp4", REFUSED),
        ("cut in the middle", REFUSED),
        ("sound only", REFUSED),
        ("an attached picture only", REFUSED),
        ("a playlist that names another file", REFUSED),
        ("a list of files to join", REFUSED),
        ("an SVG picture", REFUSED),
        ("a picture whose header says 100,000 x 100,000", REFUSED),
        ("a folder named .mp4", REFUSED),
    ),
    "missing": (
        ("null in a cell", "taken as missing, or refused where none may be"),
        ("column that is not there", REFUSED),
        ("empty list in a cell", REFUSED),
        ("sample without any modality", REFUSED),
        ("file that is not there; rows that the mask does not say", REFUSED),
        ("missing modality that is allowed", "taken"),
    ),
    "labels": (
        ("C, one more than the last class", REFUSED),
        ("-1", REFUSED),
        ("-100", REFUSED),
        ("a fraction", REFUSED),
        ("null", REFUSED),
        ("a name that is no class", REFUSED),
        ("2**62", REFUSED),
        ("all of one class", REFUSED),
    ),
    "ids": (
        ("twice in a manifest", REFUSED),
        ("twice, across shards", REFUSED),
        ("null", REFUSED),
        ("empty", REFUSED),
        ("bytes that are not UTF-8", REFUSED),
        ("of 1 MB", REFUSED),
        ("looks like a path out of the folder", "taken as a name; nothing is written outside"),
        ("numbers in one file, text in another", REFUSED),
    ),
    "parquet": (
        ("cut", REFUSED),
        ("a bit flipped", REFUSED),
        ("columns of something else", REFUSED),
        ("extension type that names code", "nothing is run"),
        ("nested a thousand deep", REFUSED),
        ("no rows", REFUSED),
        ("no file", REFUSED),
        ("symbolic link to itself", REFUSED),
        ("columns of different compression", "taken"),
        ("checksum of a page is wrong", REFUSED),
    ),
    "config": (
        ("unknown setting, near another", "refused with the nearest name"),
        ("text for a number", REFUSED),
        ("negative learning rate", REFUSED),
        ("learning rate that is not a number", REFUSED),
        ("0, -1 and 10**6 workers", REFUSED),
        ("batch larger than the data set", "taken: all rows are one step"),
        ("no epochs", REFUSED),
        ("address of no known store", REFUSED),
        ("`..` in the name of an experiment", "taken as a name; nothing is written outside of the store"),
        ("a setting twice in a file", REFUSED),
        ("a YAML tag that names code", "refused; nothing is run"),
        ("a file of 10 MB", REFUSED),
    ),
    "checkpoint": (
        ("weights of another architecture", REFUSED),
        ("weights of another number of classes", REFUSED),
        ("of a version to come", REFUSED),
        ("pickle that is named .safetensors", "refused; nothing is run"),
        ("NaN in weights", REFUSED),
        ("file that is gone", REFUSED),
        ("file too many", "it is not read: the table is the same"),
        ("empty file", REFUSED),
    ),
    "paths": (
        ("a file where a folder must be", REFUSED),
        ("a name of 300 letters", REFUSED),
        ("a folder that can only be read", REFUSED),
        ("a folder that is not there", REFUSED),
    ),
}

BAD = tuple(
    (f"B_{group}_{number:02d}", f"{group}: {what}", "one line, exit code 2" if holds == REFUSED else holds)
    for group, rows in GROUPS.items()
    for number, (what, holds) in enumerate(rows, 1)
)
