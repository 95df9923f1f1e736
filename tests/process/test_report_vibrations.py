"""Reports of molecules and slabs, whose summaries have numbers under the names of questions."""

from __future__ import annotations

import pytest
from aiida.engine import run_get_node
from ase import Atoms
from ase.build import fcc100

from aiida_crucible.nodes.structures import from_atoms
from aiida_crucible.report.findings import named_findings
from aiida_crucible.report.write import page_of, write_report
from aiida_crucible.workflows.vibrations.workchain import VibrationsWorkChain

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nodes(code, model):
    """Return the vibrations of a molecule and of a slab."""
    found = []
    for atoms in (Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.2]]), fcc100("Al", (1, 1, 3), vacuum=8.0)):
        builder = VibrationsWorkChain.get_builder_from_protocol(code, model, from_atoms(atoms), "fast")
        _, node = run_get_node(builder)
        assert node.is_finished_ok, node.exit_message
        found.append(node)
    return found


def test_the_page_of_a_molecule_has_its_questions_and_its_frequencies(nodes, tmp_path):
    page = page_of(named_findings(nodes[:1]))
    sections = {section.key: section for section in page.sections}
    assert sections["answer"].blocks, "no question is on the page"
    frequencies = nodes[0].outputs.modes.get_array("frequencies")
    (told,) = [block for block in sections["vibrations"].blocks if block.title.startswith("Frequencies")]
    assert [row[1] for row in told.rows] == [f"{frequency:.3f}" for frequency in sorted(frequencies)]
    # The wavenumber of light of one terahertz is 33.356 cm⁻¹.
    assert float(told.rows[0][2]) == pytest.approx(33.35641 * float(told.rows[0][1]), abs=0.05)
    assert write_report(nodes[:1], tmp_path / "molecule.html")


def test_a_molecule_and_a_slab_stand_on_one_page(nodes, tmp_path):
    files = write_report(nodes, tmp_path / "both.html")
    text = files[0].read_text(encoding="utf-8")
    assert "Vibrations" in text and "slab" in text and "molecule" in text
