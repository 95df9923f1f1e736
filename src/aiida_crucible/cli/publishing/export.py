"""``aiida-crucible export``: a folder, and a zip file of it, for an archive of research data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_crucible.cli.env import is_interactive
from aiida_crucible.cli.shared.options import say, with_profile, yes_option
from aiida_crucible.cli.shared.tables import print_part
from aiida_crucible.cli.status import find_process

if TYPE_CHECKING:
    from aiida_crucible.publishing.export import Prepared
    from aiida_crucible.publishing.publication import Author, Publication

EXAMPLES = """\b
Examples:
  aiida-crucible export 1234
  aiida-crucible export 1234 1301 --output pbtio3 --title 'CHGNet on PbTiO3' \\
      --author 'Ada Lovelace; Analytical Society, London; 0000-0002-1825-0097' --keyword ferroelectrics
  aiida-crucible export 1234 --metadata record.yaml --yes
"""


@click.command(short_help="Write what an archive of research data takes.", epilog=EXAMPLES)
@click.argument("processes", metavar="PK…", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where to; crucible-PK if left out. The zip file lies beside it.",
)
@click.option("--title", metavar="TEXT", help="Title of the record.")
@click.option("--author", "authors", metavar="AUTHOR", multiple=True, help="'NAME; AFFILIATION; ORCID'; repeat it.")
@click.option("--licence", "--license", "licence", metavar="SPDX", help="Licence of the record, e.g. CC-BY-4.0.")
@click.option("--keyword", "keywords", metavar="WORD", multiple=True, help="Keyword; repeat it.")
@click.option("--reference", "references", metavar="DOI", multiple=True, help="DOI or citation; repeat it.")
@click.option("--description", metavar="TEXT", help="Abstract; written from the verdicts if left out.")
@click.option("--metadata", type=click.Path(path_type=Path), metavar="FILE", help="YAML or JSON file with all of this.")
@click.option("--include-weights", is_flag=True, help="Include weights of which no licence is known: they are yours.")
@yes_option
@with_profile
def export(
    *,
    processes: tuple[str, ...],
    output: Path | None,
    metadata: Path | None,
    include_weights: bool,
    yes: bool,
    **given: Any,
) -> None:
    """Write a folder, and a zip file of it, that the Materials Cloud Archive takes as it is.

    It holds the AiiDA archive of the processes (PK or UUID), a README, the metadata of the record, the report with its
    figures, the packages and locks of the environments, and checksums. What of it tells of people and machines is
    listed and agreed to before anything is written. Weights whose licence forbids it are left out. Your profile stays
    as it is.
    """
    from aiida_crucible.publishing.export import prepare, write_export
    from aiida_crucible.publishing.files import require_new

    nodes = [find_process(each) for each in processes]
    target = Path(f"crucible-{nodes[0].pk}") if output is None else output
    require_new(target)
    publication = _publication(metadata, given)
    prepared = prepare(nodes, include_weights)
    publication = _ask_for_missing(publication, prepared)
    for line in prepared.closure.failures():
        say(f"{line}: it is exported as it is")
    for each in prepared.left_out:
        hint = "; --include-weights takes them in" if each.licence is None else ""
        say(f"the weights of {each.title} ({each.sha256[:12]}…) are left out: {each.reason}{hint}")
    _agree(prepared, yes)
    for path in write_export(prepared, publication, target):
        click.echo(str(path))


def _publication(metadata: Path | None, given: dict[str, Any]) -> Publication:
    """Return what is known of the record: flags go before the file, and the file before what was kept."""
    from aiida_crucible.publishing.publication import Author, Publication, read_kept, read_publication

    authors = tuple(Author.parse(each) for each in given.pop("authors"))
    flags = Publication(authors=authors, **{name: value for name, value in given.items() if value})
    of_file = Publication() if metadata is None else read_publication(metadata)
    return flags.over(of_file).over(read_kept())


def _ask_for_missing(publication: Publication, prepared: Prepared) -> Publication:
    """Return the record with what it cannot do without, asked for on a terminal and kept for the next one.

    :raises ValueError: one line, if there is nobody to ask.
    """
    from aiida_crucible.publishing.publication import DEFAULT_LICENCE, Publication, keep, missing_line

    missing = publication.missing()
    if not missing:
        return publication
    if not is_interactive():
        raise ValueError(missing_line(missing))
    answers: dict[str, Any] = {}
    if "title" in missing:
        suggested = ", ".join(node.label or str(node.process_label) for node in prepared.closure.processes)
        answers["title"] = click.prompt("Title of the record", default=suggested, err=True)
    if "authors" in missing:
        answers["authors"] = tuple(_ask_for_authors())
    if "licence" in missing:
        answers["licence"] = click.prompt("Licence", default=DEFAULT_LICENCE, err=True)
    if not publication.keywords:
        words = click.prompt("Keywords, with commas (models and methods are added)", default="", err=True)
        answers["keywords"] = tuple(filter(None, re.split(r"\s*,\s*", words.strip())))
    completed = publication.over(Publication(**answers))
    say(f"authors, licence, keywords and references are kept for the next export in {keep(completed)}")
    return completed


def _ask_for_authors() -> list[Author]:
    from aiida_crucible.publishing.publication import AUTHOR_HELP, Author

    found: list[Author] = []
    while True:
        text = click.prompt(
            f"Author, {AUTHOR_HELP}" if not found else "Another author (empty for no more)",
            default=None if not found else "",
            show_default=False,
            err=True,
        )
        if not text:
            return found
        try:
            found.append(Author.parse(text))
        except ValueError as error:
            say(str(error))


def _agree(prepared: Prepared, yes: bool) -> None:
    """List what is private, and go on only with consent.

    :raises ValueError: one line, if there is nobody to ask.
    """
    lines = list(prepared.private.lines())
    if not lines:
        return
    say("The archive tells of people and machines (the texts of the export do not):")
    print_part(("kind", "value", "where"), lines)
    if yes:
        return
    if not is_interactive():
        raise ValueError(
            f"{len(lines)} private values, listed above, would be published in the archive: agree with --yes, or run "
            "it on a terminal"
        )
    click.confirm("Publish the archive with these?", abort=True, err=True)
