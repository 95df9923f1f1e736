"""Reports of stored processes: what stands on the page, that it is the same each time, and what is refused."""

from __future__ import annotations

import html
import json
import re

import pytest
from aiida.engine import run_get_node
from aiida.orm import Int, StructureData
from aiida.plugins import CalculationFactory
from ase.build import bulk
from browser import VIEWS, look_at
from click.testing import CliRunner

from aiida_crucible.cli import main
from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.report.findings import named_findings
from aiida_crucible.report.write import page_of, write_report
from aiida_crucible.workflows.phonon.workchain import PhononWorkChain
from aiida_crucible.workflows.reliability.workchain import ReliabilityWorkChain

pytestmark = pytest.mark.slow

HOSTILE = "</script><img src=x onerror=alert(1)>$x_1$\"'&"
DYNAMICS = {"steps": 40, "time_step": 2.0, "series_interval": 2, "frame_interval": 2}
SWEEP = {"base": {"dynamics": {"parameters": DYNAMICS}}, "parameters": {"supercell_matrix": [2, 2, 2]}}
REFERENCE = {"source": HOSTILE, "lattice": {"a": 3.61}, "transition_temperature": 900.0}


def builder_of(code, model, lattice):
    return ReliabilityWorkChain.get_builder_from_protocol(
        code,
        model,
        from_atoms(bulk("Cu", a=lattice, cubic=True)),
        "fast",
        competing={"bcc": from_atoms(bulk("Cu", "bcc", a=2.9))},
        reference=REFERENCE,
        temperatures=[300, 400],
        overrides={"sweep": SWEEP, "phonon": {"parameters": {"supercell_matrix": [2, 2, 2], "mesh": [4, 4, 4]}}},
    )


@pytest.fixture(scope="module")
def nodes(code, model):
    """Return two reliability assessments by the same model, one of them with a label that is markup."""
    found = []
    for lattice in (3.6, 3.65):
        _, node = run_get_node(builder_of(code, model, lattice))
        assert node.is_finished_ok, node.exit_message
        found.append(node)
    found[0].label = HOSTILE
    return found


@pytest.fixture(scope="module")
def written(nodes, tmp_path_factory):
    """Return a folder with the page of both, and its text."""
    folder = tmp_path_factory.mktemp("report")
    files = write_report(nodes, folder / "page.html")
    return files, (folder / "page.html").read_text(encoding="utf-8")


def kinds_of(page):
    return {section.key: [type(block).__name__ for block in section.blocks] for section in page.sections}


def test_a_page_has_the_answer_first_and_all_that_was_found(nodes):
    page = page_of(named_findings(nodes[:1]))
    assert page.title == "Cu (Fm-3m): reliability by emt"
    keys = [section.key for section in page.sections]
    assert keys == [
        "answer", "crystal", "phonons", "temperatures", "anharmonicity", "verification", "methods", "reproduce",
        "provenance",
    ]  # fmt: skip
    assert kinds_of(page)["answer"] == ["Headline", "Questions"]
    assert [chart.name for chart in page.charts()] == [
        "lattice-parameters", "phonon-bands", "temperature-sweep", "anharmonicity"
    ]  # fmt: skip
    title = page.charts()[2].title
    assert title == "Cu (Fm-3m) against temperature by emt, 32 atoms, 0.08 ps each"


def test_evidence_names_the_node_that_holds_it(nodes):
    page = page_of(named_findings(nodes[:1]))
    questions = next(block for block in page.sections[0].blocks if type(block).__name__ == "Questions").items
    assert {question.node for question in questions} == {nodes[0].outputs.summary.uuid[:8]}
    lattice = next(question for question in questions if "lattice" in question.title)
    assert lattice.evidence["computed"]["a"] == nodes[0].outputs.summary["lattice"]["evidence"]["computed"]["a"]


def test_several_stand_beside_each_other_with_names_of_their_own(nodes):
    findings = named_findings(nodes)
    assert len({finding.name for finding in findings}) == 2
    page = page_of(findings)
    assert "Comparison" in kinds_of(page)["answer"]
    assert len([chart for chart in page.charts() if chart.name.startswith("temperature-sweep")]) == 3
    lattice = page.charts()[0]
    assert [name for _, name in lattice.panels[0].y.ticks][:2] == [finding.name for finding in findings]


def test_the_same_nodes_give_the_same_bytes(nodes, written, tmp_path):
    files, _ = written
    again = write_report(nodes, tmp_path / "page.html")
    names = {file.relative_to(tmp_path).as_posix() for file in again}
    assert {"page.html", "page-figures/phonon-bands.pdf", "page-figures/temperature-sweep-1.csv"} <= names
    for file in files:
        name = file.relative_to(files[0].parent)
        one, two = file.read_bytes(), (tmp_path / name).read_bytes()
        at = next((index for index, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), 0)
        assert one == two, f"{name} at {at}: {one[at - 80 : at + 40]!r}, {two[at - 80 : at + 40]!r}"


def test_the_page_needs_nothing_else_and_is_not_too_large(written):
    _, text = written
    assert len(text) < 10e6
    markup = re.sub(r'<script type="text/plain" id="plotly">.*?</script>', "", text, flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', markup)
    assert "http" not in re.sub(r"http://www.w3.org/\d+/svg|10\.\d{4,}/\S+", "", markup)


def test_labels_that_are_markup_stay_text(written):
    _, text = written
    assert "<img src=x" not in text
    assert html.escape(HOSTILE, quote=False)[:20] in text
    plots = re.findall(r'<script type="application/json">(.*?)</script>', text, flags=re.DOTALL)
    assert len(plots) >= 6
    assert not any("<img" in json.dumps(json.loads(plot)) for plot in plots)


def test_identifiers_are_those_that_an_imported_archive_has_too(nodes, written):
    _, text = written
    for node in nodes:
        assert node.uuid in text
        assert not re.search(rf"\bPK\b\W*{node.pk}\b", text)


def test_csv_has_the_numbers_of_the_nodes(nodes, written):
    files, _ = written
    lines = (files[1].parent / "temperature-sweep-1.csv").read_text(encoding="utf-8").splitlines()
    curves = nodes[0].outputs.sweep.curves
    drawn = {tuple(line.split(",")[-6:-2]) for line in lines if ",a," in line and "emt" in line}
    expected = {
        (repr(float(t)), "", repr(float(a)), repr(float(error)))
        for t, a, error in zip(*(curves.get_array(name) for name in ("temperatures", "a", "a_error")), strict=True)
    }
    assert drawn == expected


def test_a_browser_draws_every_figure_and_nothing_sticks_out(written, tmp_path):
    files, text = written
    seen = look_at(files[0], tmp_path)
    n_figures = text.count('<figure class="chart')
    for width, scheme in VIEWS:
        view = seen[f"{width}-{scheme}"]
        assert view["said"] == []
        assert view["width"] <= width
        assert view["sticks_out"] == []
        assert view["drawn"] == view["figures"] == n_figures
        assert (view["background"] == "rgb(255, 255, 255)") is (scheme == "light")
        assert view["leads_to_line"], "a click in the provenance leads nowhere"
    assert seen["print"], "in print the pictures stand in"
    assert (tmp_path / "page.pdf").stat().st_size > 50_000
    assert seen["pictures"] == n_figures, "where no script runs the pictures stand in"


def test_what_cannot_be_reported_is_refused_in_one_line(nodes, code, model, tmp_path):
    structure = nodes[0].inputs.structure
    step = next(node for node in nodes[0].called_descendants if node.process_label == "summarise_relaxation")
    cases = {
        str(structure.pk): "is a StructureData, no process",
        str(step.pk): f"a step without a report of its own: give the one that called it, {nodes[0].pk}",
        "999999": "there is no process '999999' in this profile",
        str(arithmetic(code).pk): "is none of aiida-crucible",
    }
    for identifier, message in cases.items():
        result = CliRunner().invoke(main, ["report", identifier, "-o", str(tmp_path / "page.html")])
        assert result.exit_code == 1
        assert message in result.output, result.output
        assert len(result.output.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def arithmetic(code):
    add = CalculationFactory("core.arithmetic.add")
    from aiida.orm import InstalledCode

    bash = InstalledCode(label="bash", computer=code.computer, filepath_executable="/bin/bash").store()
    _, node = run_get_node(add, code=bash, x=Int(1), y=Int(2))
    return node


def test_one_that_failed_early_and_one_that_runs_are_refused(code, model, tmp_path):
    from aiida.orm import WorkChainNode

    node = WorkChainNode(process_type="aiida.workflows:crucible.phonon").store()
    with pytest.raises(ValueError, match="still runs: `aiida-crucible status"):
        write_report([node], tmp_path / "page.html")
    node.set_process_state("finished")
    node.set_exit_status(321)
    node.set_exit_message("the forces of the supercells failed")
    with pytest.raises(ValueError, match="failed before it found anything: the forces of the supercells failed"):
        write_report([node], tmp_path / "page.html")


def test_a_full_disk_leaves_nothing_behind(nodes, tmp_path, monkeypatch):
    from aiida_crucible.report import write

    old = '<meta name="generator" content="aiida-crucible">the old one'
    (tmp_path / "page.html").write_text(old)

    def full(*_):
        raise OSError(28, "No space left on device", str(tmp_path / "page.html"))

    monkeypatch.setattr(write, "render", full)
    result = CliRunner().invoke(main, ["report", str(nodes[0].pk), "-o", str(tmp_path / "page.html")])
    assert "the disk is full" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_text() == old


def test_files_of_the_user_are_not_overwritten(nodes, tmp_path):
    own = tmp_path / "thesis.html"
    own.write_text("<html>my thesis</html>")
    result = CliRunner().invoke(main, ["report", str(nodes[0].pk), "-o", str(own)])
    assert result.exit_code == 1
    assert "is there and no page of aiida-crucible: name another file" in result.output
    assert own.read_text() == "<html>my thesis</html>"
    figures = tmp_path / "page-figures"
    figures.mkdir()
    (figures / "drawn-by-hand.svg").write_text("precious")
    for _ in range(2):  # its own page it exchanges
        write_report(nodes[:1], tmp_path / "page.html")
    assert (figures / "drawn-by-hand.svg").read_text() == "precious"
    assert (figures / "phonon-bands.csv").is_file()


def test_run_refuses_a_place_for_its_page_before_anything_runs(nodes, tmp_path):
    command = ["run", "Cu:fcc", "-m", "emt", "--report", str(tmp_path / "page.pdf"), "--yes"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "the page is HTML, name it FILE.html" in result.output
    assert len(result.output.splitlines()) == 1


def test_phonons_alone_have_a_page(code, model):
    builder = PhononWorkChain.get_builder_from_protocol(
        code,
        model,
        from_atoms(bulk("Al")),
        "fast",
        overrides={"parameters": {"supercell_matrix": [2, 2, 2], "mesh": [4, 4, 4]}},
    )
    _, node = run_get_node(builder)
    page = page_of(named_findings([node]))
    assert "phonons" in kinds_of(page)
    assert kinds_of(page)["answer"] == ["Headline"]
    assert isinstance(node.inputs.structure, StructureData)
