//! The names of processors in ELF files. Does not know which processor this machine has.

use std::fmt;

use object::elf;

/// The processor that an ELF file is for: its `e_machine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Architecture(pub u16);

impl Architecture {
    /// The name, for processors that programs are built for today.
    pub fn name(self) -> Option<&'static str> {
        Some(match elf::Machine(self.0) {
            elf::EM_X86_64 => "x86-64",
            elf::EM_386 => "x86",
            elf::EM_AARCH64 => "AArch64",
            elf::EM_ARM => "ARM",
            elf::EM_RISCV => "RISC-V",
            elf::EM_LOONGARCH => "LoongArch",
            elf::EM_PPC => "PowerPC",
            elf::EM_PPC64 => "64-bit PowerPC",
            elf::EM_S390 => "S/390",
            elf::EM_MIPS => "MIPS",
            elf::EM_SPARC => "SPARC",
            elf::EM_SPARCV9 => "SPARC V9",
            elf::EM_IA_64 => "Itanium",
            elf::EM_BPF => "BPF",
            _ => return None,
        })
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "ELF machine {}", self.0),
        }
    }
}
