#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes the SystemVerilog package, the C header and the manual's tables of registers.rdl, or checks that they are what it makes.

usage: registers.py [--check]
"""
import pathlib
import sys

from systemrdl import RDLCompiler
from systemrdl.node import AddressableNode, FieldNode, RegNode

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE / "registers.rdl"
TOPS = ("card", "descriptor", "item", "completion", "context")
LAYOUTS = {"descriptor": 64, "item": 32, "completion": 16, "context": 64}  # octets
MADE = "Made from hw/registers.rdl by hw/registers.py; change it there."


def children(node):
    """Registers of a node, and of its register files, with the prefix of their names."""
    for child in node.children(unroll=False):
        if isinstance(child, RegNode):
            yield node.inst_name, child
        elif isinstance(child, AddressableNode):
            yield from children(child)


def fields(register):
    return [child for child in register.children() if isinstance(child, FieldNode)]


def text(node):
    return " ".join((node.get_property("desc") or "").split())


def named(field):
    """A register of one field that has a name of no meaning is the field."""
    return field.inst_name not in ("value", "address", "clocks")


def enumerations(top):
    seen = {}
    for _, register in children(top):
        for field in fields(register):
            encode = field.get_property("encode")
            if encode is not None:
                seen[encode.type_name] = encode
    return seen.values()


def arrays(top):
    return [child for child in top.children(unroll=False) if not isinstance(child, RegNode)]


def offset(register):
    """Within its register file, or within the card."""
    return register.raw_address_offset


def constants(tops):
    """(name, value, is an address, comment) of everything but the layouts' bits."""
    card = tops["card"]
    yield "CARD_BYTES", 0x10000, True, "of the address space of the registers"
    for array in arrays(card):
        name = f"CARD_{array.inst_name.upper()}"
        yield f"{name}S_MAX", array.array_dimensions[0], False, ""
        yield f"{name}_BASE", array.raw_address_offset, True, ""
        yield f"{name}_STRIDE", array.array_stride, True, ""
    for parent, register in children(card):
        name = f"CARD_{register.inst_name.upper()}" if parent == "card" else f"CARD_{parent.upper()}_{register.inst_name.upper()}"
        yield name, offset(register), True, ""
        for field in fields(register):
            reset = field.get_property("reset")
            if named(field):
                yield f"{name}_{field.inst_name.upper()}_LSB", field.lsb, False, ""
                yield f"{name}_{field.inst_name.upper()}_BITS", field.width, False, ""
            if reset and not field.is_sw_writable:
                yield f"{name}_{field.inst_name.upper()}", reset, True, ""
    for top in tops.values():
        for enumeration in enumerations(top):
            for member in enumeration:
                yield f"{enumeration.type_name.upper()}_{member.name}", member.value, False, ""


def make_package(tops):
    lines = ["// SPDX-License-Identifier: BSD-3-Clause", "//", f"// {MADE}", "// Layouts are in bits: octet 0 of host memory is bits 7..0.",
             "//", "`default_nettype none", "", "package fan_registers_pkg;"]
    for name, value, is_address, _ in constants(tops):
        lines.append(f"\tlocalparam int {name} = {f'32{chr(39)}h{value:08x}' if is_address else value};")
    for top, octets in LAYOUTS.items():
        lines.append(f"\tlocalparam int {top.upper()}_BYTES = {octets};")
        for _, register in children(tops[top]):
            name = f"{top.upper()}_{register.inst_name.upper()}"
            lines.append(f"\tlocalparam int {name}_LSB = {8 * offset(register)};")
            lines.append(f"\tlocalparam int {name}_BITS = {register.size * 8};")
    return "\n".join(lines + ["endpackage", "", "`default_nettype wire", ""])


def make_header(tops):
    lines = ["/* SPDX-License-Identifier: BSD-3-Clause */", f"/* {MADE} */", "#ifndef FAN_REGISTERS_H", "#define FAN_REGISTERS_H", ""]
    for name, value, is_address, comment in constants(tops):
        tail = f" /* {comment} */" if comment else ""
        lines.append(f"#define FAN_{name} {f'0x{value:x}U' if is_address else value}{tail}")
    lines += ["", "/* Layouts, in octets. */"]
    for top, octets in LAYOUTS.items():
        lines.append(f"#define FAN_{top.upper()}_BYTES {octets}")
        for _, register in children(tops[top]):
            name = f"FAN_{top.upper()}_{register.inst_name.upper()}"
            lines.append(f"#define {name}_AT {offset(register)}")
            lines.append(f"#define {name}_BYTES {register.size}")
    return "\n".join(lines + ["", "#endif", ""])


def bits(field):
    return str(field.lsb) if field.width == 1 else f"{field.msb}..{field.lsb}"


def register_rows(prefix, registers):
    for register in registers:
        yield f"| 0x{offset(register):03x} | `{prefix}{register.inst_name}` | | | | {text(register)} |"
        for field in fields(register):
            reset = field.get_property("reset")
            access = "rw" if field.is_sw_writable else "r"
            shown = "" if reset is None else f"0x{reset:x}" if reset > 9 else str(reset)
            what = text(field)
            encode = field.get_property("encode")
            if encode is not None:
                what = f"{what} See `{encode.type_name}`.".strip()
            yield f"| | `.{field.inst_name}` | {bits(field)} | {access} | {shown} | {what} |"


def make_manual(tops):
    card = tops["card"]
    lines = ["<!-- SPDX-License-Identifier: BSD-3-Clause -->", f"<!-- {MADE} -->", "# Registers and layouts", "", text(card), ""]
    head = ["| address | register | bits | access | reset | meaning |", "|---|---|---|---|---|---|"]
    lines += head + list(register_rows("", [r for p, r in children(card) if p == "card"])) + [""]
    for array in arrays(card):
        lines += [f"## `{array.inst_name}[n]`: {array.array_dimensions[0]} of them from 0x{array.raw_address_offset:x} on, "
                  f"0x{array.array_stride:x} apart", ""]
        lines += head + list(register_rows("", [r for _, r in children(array)])) + [""]
    for top in LAYOUTS:
        lines += [f"## {tops[top].get_property('name')}", "", text(tops[top]), "", "| octets | name | meaning |", "|---|---|---|"]
        for _, register in children(tops[top]):
            last = offset(register) + register.size - 1
            where = str(last) if register.size == 1 else f"{offset(register)}..{last}"
            encodes = [f.get_property("encode") for f in fields(register) if f.get_property("encode") is not None]
            what = " ".join([text(register)] + [f"See `{e.type_name}`." for e in encodes])
            lines.append(f"| {where} | `{register.inst_name}` | {what} |")
        lines.append("")
    for top in tops.values():
        for enumeration in enumerations(top):
            lines += [f"## `{enumeration.type_name}`", "", "| value | name | meaning |", "|---|---|---|"]
            lines += [f"| {m.value} | `{m.name}` | {' '.join((m.rdl_desc or '').split())} |" for m in enumeration]
            lines.append("")
    return "\n".join(lines)


def main():
    compiler = RDLCompiler()
    compiler.compile_file(str(SOURCE))
    tops = {name: compiler.elaborate(top_def_name=name).top for name in TOPS}
    made = {
        HERE / "rtl" / "fan_registers_pkg.sv": make_package(tops),
        HERE / "registers.h": make_header(tops),
        HERE / "REGISTERS.md": make_manual(tops),
    }
    if sys.argv[1:] == ["--check"]:
        wrong = [path.name for path, content in made.items() if not path.exists() or path.read_text() != content]
        if wrong:
            sys.exit(f"registers: {', '.join(wrong)} differ from what registers.rdl makes; run make -C hw registers")
        return
    if sys.argv[1:]:
        sys.exit(__doc__)
    for path, content in made.items():
        path.write_text(content)


if __name__ == "__main__":
    main()
