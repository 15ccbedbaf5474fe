"""The reader of HLO text and the walk over it, on small texts with every form that real programs hold."""

import pathlib

import pytest

from gato_jax.planning.hlo import hlo
from gato_jax.planning.hlo.matrix_flops import matrix_flops
from gato_jax.planning.hlo.network import Network
from gato_jax.planning.hlo.schedule import walk
from gato_jax.planning.slices import find_slice

TEXTS = pathlib.Path(__file__).parent / "texts"
MESH = {"data": 2, "fsdp": 4, "tensor": 1}
NETWORK = Network.in_order(find_slice("v5e:2x4"))
TWO_SLICES = Network(find_slice("v5e:2x4", slices=2), NETWORK.places * 2)
CHIP = NETWORK.where.chip


def read(name: str) -> hlo.Module:
    return hlo.parse((TEXTS / f"{name}.hlo").read_text())


def test_metadata_over_several_lines_does_not_end_a_computation():
    body = read("scanned").computations["body"]
    assert [one.name for one in body.instructions][-4:] == ["fusion.2", "one", "next", "tuple.2"]
    assert body.root.opcode == "tuple"
    assert body["kernel.1"].operands == ("fusion.1",)


def test_a_loop_counts_as_often_as_it_runs():
    totals = walk(read("scanned"), mesh=MESH, network=NETWORK)
    assert totals.flops == 7 * 2 * (2 * 64 * 32 * 32)
    assert totals.compute == pytest.approx(7 * 3000 / CHIP.clock)
    assert totals.kernels == {"splash_mha_fwd": 7}
    assert not totals.endless
    assert sum(totals.costs.values()) == pytest.approx(totals.compute)


def test_a_loop_may_take_several_steps_at_once():
    text = (TEXTS / "scanned.hlo").read_text()
    twice = text.replace("%one = s32[]{:T(128)} constant(1)", "%one = s32[]{:T(128)} constant(2)")
    assert twice != text
    assert walk(hlo.parse(twice), mesh=MESH, network=NETWORK).flops == 4 * 2 * (2 * 64 * 32 * 32)


def test_a_loop_without_a_known_end_is_named():
    text = (TEXTS / "scanned.hlo").read_text()
    totals = walk(hlo.parse(text.replace("%copy.1 = s32[]{:T(128)} copy(%constant.3)", "%copy.1 = s32[] add(%w.1)")),
                  mesh=MESH, network=NETWORK)  # fmt: skip
    assert totals.endless == ["while.1"]
    noted = text.replace("body=%body,", 'body=%body, backend_config={"known_trip_count":{"n":"3"}},')
    assert walk(hlo.parse(noted), mesh=MESH, network=NETWORK).flops == 3 * 2 * (2 * 64 * 32 * 32)


def test_collectives_by_kind_axis_and_overlap():
    collectives = walk(read("scanned"), mesh=MESH, network=NETWORK).collectives
    assert {
        (one.kind, one.axis, one.group, one.is_async): (count, one.bytes) for one, count in collectives.items()
    } == {
        ("all-gather", "fsdp", 4, True): (7, 32 * 32 * 2),
        ("reduce-scatter", "fsdp", 4, False): (1, 32 * 32 * 4),
        ("all-reduce", "data", 2, False): (1, 32 * 32 * 4),
    }


@pytest.mark.parametrize(
    ("strategy", "rings"),
    [
        ("StrategyRing{colors:1 phases:1 cores:{4}", 1),
        ("UniDirection1DRingStrategy{colors:2 phases:1 cores:{4},{4}", 1),
        ("StrategyND{colors:3 phases:3 cores:{8 4 8},{4 8 8},{8 8 4}", 3),
        ("UniDirectionNDRingStrategy{colors:6 phases:3 cores:{8 8 8}", 3),
    ],
)
def test_rings_as_the_compiler_notes_them(strategy, rings):
    """Beside the collective, or beside the fusion that it is in."""
    text = (TEXTS / "scanned.hlo").read_text()
    noted = f', backend_config={{"collective_algorithm_config":{{"debug":"\\n{strategy}}}"}}}}\n'
    for kind, line_end in (("all-reduce", "{3,7}}, use_global_device_ids=true, to_apply=%sum\n"),
                           ("reduce-scatter", "kind=kCustom, calls=%all-reduce-scatter\n")):  # fmt: skip
        changed = text.replace(line_end, line_end.rstrip() + noted)
        assert changed != text
        collectives = walk(hlo.parse(changed), mesh=MESH, network=NETWORK).collectives
        assert [one.rings for one in collectives if one.kind == kind] == [rings]


def test_a_gather_in_pieces_is_one_gather():
    totals = walk(read("gather_in_pieces"), mesh=MESH, network=NETWORK)
    ((gather, count),) = totals.collectives.items()
    assert (gather.kind, gather.axis, gather.is_async, count) == ("all-gather", "fsdp", True, 1)
    # Work of 100 cycles runs beside it; the rest of the gather is exposed.
    assert totals.exposed == pytest.approx(max(0.0, NETWORK.seconds(gather) - 100 / CHIP.clock))


def test_between_slices_collectives_get_no_time():
    totals = walk(read("scanned"), mesh=MESH, network=TWO_SLICES)
    assert [one.axis for one in totals.remote] == ["data"]
    assert totals.exposed < walk(read("scanned"), mesh=MESH, network=NETWORK).exposed


def test_what_is_sent_between_slices_is_counted():
    text = """HloModule m, is_scheduled=true

ENTRY %main (a: f32[64,32]) -> f32[64,32] {
  %a = f32[64,32]{1,0} parameter(0)
  %token = token[] after-all()
  %send.1 = (f32[64,32]{1,0}, u32[], token[]) send(%a, %token), channel_id=2, is_host_transfer=true
  %send-done.1 = token[] send-done(%send.1), channel_id=2, is_host_transfer=true
  %recv.1 = (f32[64,32]{1,0}, u32[], token[]) recv(%token), channel_id=3, is_host_transfer=true
  %recv-done.1 = (f32[64,32]{1,0}, token[]) recv-done(%recv.1), channel_id=3, is_host_transfer=true
  ROOT %b = f32[64,32]{1,0} get-tuple-element(%recv-done.1), index=0
}
"""
    totals = walk(hlo.parse(text), mesh={"replica": 2, **MESH}, network=TWO_SLICES)
    ((sent, count),) = totals.remote.items()
    assert (sent.kind, sent.axis, sent.bytes, count) == ("send", "replica", 64 * 32 * 4, 1)
    assert totals.seconds == 0
    assert not totals.without_cost


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # A batched product as XLA writes it on TPU: 24 heads as a kernel of 24 places, 23 of them on holes.
        (
            "convolution(%a, %b), window={size=2x24 stride=1x23 lhs_dilate=2x24}, dim_labels=01bf_01oi->01bf",
            2 * 2 * 24 * 64 * 64 * 32,
        ),
        ("dot(%a, %b), lhs_batch_dims={0,1}, rhs_batch_dims={0,1}, lhs_contracting_dims={3}, rhs_contracting_dims={3}",
         2 * 2 * 24 * 64 * 64 * 32),
    ],
)  # fmt: skip
def test_flops_of_batched_products(line, expected):
    text = f"""HloModule m

ENTRY %main (a: bf16[2,24,64,32], b: bf16[2,24,64,32]) -> f32[2,24,64,64] {{
  %a = bf16[2,24,64,32]{{3,2,1,0}} parameter(0)
  %b = bf16[2,24,64,32]{{3,2,1,0}} parameter(1)
  ROOT %c = f32[2,24,64,64]{{3,2,1,0}} {line}
}}
"""
    entry = hlo.parse(text).entry
    assert matrix_flops(entry.root, entry) == expected


def test_flops_of_a_convolution_leave_out_its_padding():
    text = """HloModule m

ENTRY %main (a: bf16[5,16,16,3], b: bf16[3,3,3,64]) -> bf16[5,16,16,64] {
  %a = bf16[5,16,16,3]{3,2,1,0} parameter(0)
  %b = bf16[3,3,3,64]{3,2,1,0} parameter(1)
  ROOT %c = bf16[5,16,16,64]{3,2,1,0} convolution(%a, %b), window={size=3x3 pad=1_1x1_1}, dim_labels=b01f_01io->b01f
}
"""
    entry = hlo.parse(text).entry
    assert matrix_flops(entry.root, entry) == 2 * 5 * (3 * 16 - 2) ** 2 * 3 * 64


def test_half_a_text_is_an_error():
    with pytest.raises(ValueError, match="whole ENTRY computation"):
        hlo.parse((TEXTS / "scanned.hlo").read_text()[:3000])
