"""Files that a plan reads and that are not there, found before anything runs.

Three looks: the files that the scale names for every language; the training and test sets that the
recipes name; and, where a task has some file of a language, whether the splits are among them that
its fine-tunings learn from and are tested on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from bbert.errors import InputError
from bbert.reproduce.job_languages import source_languages, source_of
from bbert.reproduce.jobs import Job, Plan
from bbert.reproduce.scale import NeededFiles


def refuse_missing_data(plan: Plan, data: Path | None) -> None:
    """Raise InputError naming the files that the scale needs and that are not below `data`."""
    if not plan.scale.data:
        return
    if data is None:
        raise InputError(f"--scale {plan.scale.name} reads files: give their folder with --data")
    jobs = list(plan.jobs.values())
    lines: dict[str, set[str]] = {}  # each once, in order, with the tasks that would do without
    files: set[tuple[str, ...]] = set()  # by their patterns: several tasks may read the same
    named: set[tuple[str | None, ...]] = set()  # task, language and, where some are there, splits
    for needed in plan.scale.data:
        missing = [language for language in _languages(needed, jobs, data)
                   if not needed.is_in(data, language)]  # fmt: skip
        if missing:
            shown = " or ".join(needed.patterns_of(missing))
            lines[f"{shown} ({needed.size}): {needed.how_to_get(missing)}"] = {
                needed.task or ""
            } - {""}
            files |= {tuple(needed.patterns_of([language])) for language in missing}
            named |= {(needed.task, language) for language in missing}
    for path, (says, tasks) in _named_sets(jobs).items():
        if not (data / path).exists():
            lines[f"{path}: {says}"] = tasks
            files.add((str(path),))
    for job in jobs:
        if job.stage == "finetune":
            task = job.options["task"]
            kinds = [needed for needed in plan.scale.data if _reads(job, needed, data)]
            for language, splits, says in _missing_splits(job):
                if not named & {(task, language), (task, language, splits)}:
                    kind = kinds[0 if "train" in splits else -1] if kinds else None
                    fetch = f"; {kind.size}: {kind.how_to_get([language])}" if kind else ""
                    lines[f"{says}{fetch}"] = {task}
                    files.add((says,))
                    named.add((task, language, splits))
    if not lines:
        return
    number = "1 file is" if len(files) == 1 else f"{len(files)} files are"
    mend = []
    all_tasks = {job.options["task"] for job in jobs if job.stage == "finetune"}
    if all(lines.values()) and (rest := sorted(all_tasks.difference(*lines.values()))):
        mend = [f"what the others need is there: --task {' '.join(rest)}"]
    head = f"--scale {plan.scale.name}: {number} missing in {data} (run the commands there)"
    raise InputError("\n".join([head, *lines, *mend]))


def _languages(needed: NeededFiles, jobs: Iterable[Job], data: Path) -> dict[str, None]:
    """The languages that the plan needs one kind of file in; "" for a file of all languages."""
    languages: dict[str, None] = {}
    for job in jobs:
        if needed.task is not None and _reads(job, needed, data):
            languages.update(dict.fromkeys(source_languages([job.options])))
        elif needed.as_corpus and job.stage == "corpus":
            languages.update(dict.fromkeys(map(source_of, job.options["languages"])))
        elif needed.as_parallel:
            given = job.options.get("parallel", ())
            languages.update(dict.fromkeys(text.partition("=")[0] for text in given))
        elif needed.as_wals and "wals" in job.options:
            languages[""] = None
    return languages


def _reads(job: Job, needed: NeededFiles, data: Path) -> bool:
    """Whether a fine-tuning reads files of this kind: its task's, in the folder it is sent to."""
    same_folder = job.options.get("data") == str(data / needed.folder)
    return job.options.get("task") == needed.task and same_folder


def _named_sets(jobs: Iterable[Job]) -> dict[Path, tuple[str, set[str]]]:
    """The further training and test sets of a plan, by their place in the data folder: what each
    is, and the tasks that read it."""
    from bbert.finetune.evaluation_sets import parse_named_set

    sets: dict[Path, tuple[str, set[str]]] = {}
    for job in jobs:
        learned = [job.options["train_set"]] if "train_set" in job.options else []
        for kind, texts in (("test", job.options.get("eval_set", ())), ("training", learned)):
            for found in map(parse_named_set, texts):
                says = f"a {kind} set in {found.language!r}, a file or a folder of task files"
                tasks = sets.get(found.path, ("", set()))[1] | {job.options["task"]}
                sets[found.path] = f"{says} ({found.name})", tasks
    return sets


def _missing_splits(job: Job) -> Iterator[tuple[str, str, str]]:
    """Language, splits and description of all that a fine-tuning reads and would not find."""
    from bbert.finetune.evaluation_sets import languages_of, training_languages
    from bbert.finetune.recipes import preset
    from bbert.finetune.tasks import load_task
    from bbert.finetune.tasks.find_files import not_found, usable_folders
    from bbert.finetune.treebanks import name_of_files

    options = job.options
    data = Path(options["data"])
    task = load_task(options["task"])
    by_recipe = preset(options.get("recipe"), task.name, False, options.get("head"))
    learned = training_languages(options["train_lang"]) if "train_lang" in options else []
    tested = [languages_of(name, task, "--eval-langs") for name in options["eval_langs"]]
    of_one = options.get("train_treebank", ()), "--train-treebank"
    of_all = options.get("eval_treebank", ()), "--eval-treebank"
    sources = [name_of_files(language.source, *of_one) for language in learned]
    wanted = [(name, ("train",)) for name in sources]
    if options.get("selection", by_recipe["selection"]) == "best-dev":
        wanted += [(name, ("dev",)) for name in sources]
    targets = [name_of_files(lang.source, *of_all) for pair in tested for lang in pair if lang]
    wanted += [(name, ("test", "dev")) for name in targets]
    chosen = usable_folders(task, data, *wanted[0])[:1]  # as the command does: one folder for all
    for language, splits in wanted:
        usable = usable_folders(task, data, language, splits)
        if not usable or (chosen and chosen[0] not in usable):
            says = not_found(task, chosen[0] if chosen else data, language, splits)
            yield language.partition("_")[0], " or ".join(splits), says  # en of en_ewt
