//! Programs built by compilers, compared with the output of other tools.

use super::*;

const EMPTY: &str = "int main(void) { return 0; }";
const LOADING: &str = "#include <dlfcn.h>\nint main(int argc, char **argv) { return dlopen(argv[argc - 1], 1) != 0; }";

fn inspect(path: &Path) -> (Inspection, Executable) {
    let inspection = Inspection::of(path).unwrap();
    let executable = inspection.content.executable().unwrap().clone();
    assert_eq!(executable.damage, [""; 0], "{}", path.display());
    assert!(executable.native);
    (inspection, executable)
}

/// Returns the values of a tag as `readelf -d` prints them, in the order of the file.
fn readelf(path: &Path, tag: &str) -> Option<Vec<String>> {
    let text = output(Command::new("readelf").args(["--wide", "-d"]).arg(path).env("LC_ALL", "C"))?;
    let lines = text.lines().filter(|line| line.contains(&format!("({tag})")));
    Some(lines.map(|line| line.split_once('[').unwrap().1.trim_end_matches(']').to_owned()).collect())
}

#[test]
fn what_the_c_compiler_makes_is_told() {
    use ExecutableKind::{Object, PositionIndependentProgram, Program, SharedLibrary, StaticPie};
    let directory = tempfile::tempdir().unwrap();
    for (name, options, kind, is_static) in [
        ("pie", &["-fPIE", "-pie"][..], PositionIndependentProgram, false),
        ("fixed", &["-no-pie"], Program, false),
        ("static", &["-static"], Program, true),
        ("static-pie", &["-fPIE", "-static-pie"], StaticPie, true),
        ("shared.so", &["-fPIC", "-shared"], SharedLibrary, true),
        ("object.o", &["-c"], Object, true),
    ] {
        let Some(path) = compile(directory.path(), name, EMPTY, options) else {
            continue;
        };
        let (inspection, found) = inspect(&path);
        assert_eq!((found.kind, found.linkage.is_static()), (kind, is_static), "{name}");
        assert_eq!(inspection.refusal.is_none(), found.is_program(), "{name}: {:?}", inspection.refusal);
        assert!(found.symbols && !found.names_dlopen, "{name}");
    }
}

#[test]
fn linkage_matches_readelf() {
    let directory = tempfile::tempdir().unwrap();
    let Some(path) = compile(
        directory.path(),
        "program",
        LOADING,
        &[
            "-g",
            "-Wl,--no-as-needed",
            "-lm",
            "-Wl,-rpath,$ORIGIN/lib:/usr/lib::relative",
            "-Wl,--enable-new-dtags",
            "-Wl,-z,relro,-z,now",
            "-Wl,-z,execstack",
        ],
    ) else {
        return;
    };
    let (inspection, found) = inspect(&path);
    let strings =
        |list: &[std::ffi::OsString]| list.iter().map(|name| name.to_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!((found.relro, found.stack), (Relro::Full, StackUse::Executable));
    assert!(found.names_dlopen && found.symbols && found.debug_information);
    for name in ["loaded-at-start", "loaded-later", "executable-stack", "search-origin", "search-relative"] {
        assert!(names(&inspection).contains(&name), "{name}");
    }
    if let (Some(needed), Some(runpath)) = (readelf(&path, "NEEDED"), readelf(&path, "RUNPATH")) {
        assert!(needed.len() >= 2);
        assert_eq!(strings(&found.linkage.needed), needed);
        assert_eq!(
            found.linkage.search_paths.iter().map(|path| path.text.to_str().unwrap()).collect::<Vec<_>>(),
            runpath
        );
    }
    if let (Some(text), Some(id)) = (output(Command::new("readelf").arg("-n").arg(&path)), &found.build_id) {
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(text.contains(&format!("Build ID: {id}")), "{text}");
    }
}

#[test]
fn search_paths_hardening_and_stripping_are_recognised() {
    let directory = tempfile::tempdir().unwrap();
    let options = [
        "-s",
        "-Wl,-rpath,/usr/lib",
        "-Wl,--disable-new-dtags",
        "-Wl,-z,norelro",
        "-Wl,--build-id=none",
        "-Wl,-z,noexecstack",
    ];
    let Some(path) = compile(directory.path(), "old", EMPTY, &options) else {
        return;
    };
    let (inspection, found) = inspect(&path);
    assert_eq!(inspection.search[0].kind, crate::verify::SearchPathKind::Rpath);
    assert_eq!((found.relro, found.stack, found.build_id.as_ref()), (Relro::None, StackUse::Data, None));
    assert!(found.is_stripped());
    let library = compile(
        directory.path(),
        "library.so",
        EMPTY,
        &["-fPIC", "-shared", "-Wl,-soname,libown.so.1", "-Wl,-z,relro,-z,lazy"],
    )
    .unwrap();
    let (_, found) = inspect(&library);
    assert_eq!((found.linkage.soname.as_deref(), found.relro), (Some("libown.so.1".as_ref()), Relro::Partial));
}

/// Builds a Go program that depends on another module through a replacement.
fn go_program(directory: &Path, options: &[&str]) -> Option<PathBuf> {
    go_program_for(directory, options, None)
}

fn go_program_for(directory: &Path, options: &[&str], processor: Option<&str>) -> Option<PathBuf> {
    let other = directory.join("other");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("go.mod"), "module example.com/other\ngo 1.21\n").unwrap();
    std::fs::write(other.join("other.go"), "package other\nfunc Do() {}\n").unwrap();
    let module =
        "module example.com/own\ngo 1.21\nrequire example.com/other v1.2.3\nreplace example.com/other => ./other\n";
    std::fs::write(directory.join("go.mod"), module).unwrap();
    std::fs::write(
        directory.join("main.go"),
        "package main\nimport \"example.com/other\"\nfunc main() { other.Do() }\n",
    )
    .unwrap();
    let program = directory.join("program");
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(&program).args(options).arg(".").current_dir(directory);
    go.envs(processor.map(|processor| ("GOARCH", processor)));
    output(go.env("GOFLAGS", "-mod=mod").env("GOPROXY", "off").env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0"))?;
    Some(program)
}

/// Returns the lines that `go version -m` prints.
fn as_go_prints(build: &GoBuild, path: &Path) -> String {
    let module = |word: &str, module: &GoModule| {
        format!("\t{word}\t{}\t{}\t{}\n", module.path, module.version, module.sum.as_deref().unwrap_or_default())
    };
    let mut text = format!("{}: {}\n", path.display(), build.version);
    text += &build.path.iter().map(|path| format!("\tpath\t{path}\n")).collect::<String>();
    text += &build.main.iter().map(|main| module("mod", main)).collect::<String>();
    for dependency in &build.dependencies {
        // Go prints no checksum of a replaced module.
        text += match &dependency.replacement {
            Some(_) => module("dep", dependency).trim_end().to_owned() + "\n",
            None => module("dep", dependency),
        }
        .as_str();
        text += &dependency.replacement.iter().map(|new| module("=>", new)).collect::<String>();
    }
    text + &build.settings.iter().map(|setting| format!("\tbuild\t{setting}\n")).collect::<String>()
}

#[test]
fn build_information_matches_go_version() {
    let directory = tempfile::tempdir().unwrap();
    for options in [&[][..], &["-trimpath", "-ldflags=-s -w"], &["-buildmode=pie"]] {
        let Some(path) = go_program(directory.path(), options) else {
            return;
        };
        let (_, found) = inspect(&path);
        let build = found.go.unwrap();
        assert_eq!(build.main.as_ref().unwrap().path, "example.com/own");
        assert_eq!(build.dependencies[0].version, "v1.2.3");
        assert_eq!(build.dependencies[0].replacement.as_ref().unwrap().path, "./other");
        let printed = output(Command::new("go").args(["version", "-m"]).arg(&path)).unwrap();
        assert_eq!(as_go_prints(&build, &path), printed.replace("\n\t\n", "\n"));
    }
}

#[test]
fn a_go_program_for_another_machine_is_told() {
    let directory = tempfile::tempdir().unwrap();
    for (processor, bits, machine) in [("s390x", 64, "S/390"), ("mips", 32, "MIPS")] {
        let Some(path) = go_program_for(directory.path(), &[], Some(processor)) else {
            return;
        };
        let inspection = Inspection::of(&path).unwrap();
        let found = inspection.content.executable().unwrap();
        assert_eq!((found.bits, found.little_endian, found.machine.to_string().as_str()), (bits, false, machine));
        assert_eq!((found.kind, &found.damage), (ExecutableKind::Program, &vec![]));
        assert!(found.go.as_ref().unwrap().settings.contains(&format!("GOARCH={processor}")));
        assert!(!found.native && inspection.refusal.is_some());
        assert_eq!(names(&inspection), ["other-machine"]);
    }
}

#[test]
fn damaged_build_information_never_panics() {
    let directory = tempfile::tempdir().unwrap();
    let Some(path) = go_program(directory.path(), &[]) else {
        return;
    };
    let program = std::fs::read(path).unwrap();
    let at = program.windows(14).position(|part| part == b"\xff Go buildinf:").unwrap();
    let intact = executable(&program).go;
    let mut damaged = program.clone();
    let mut differing = 0;
    for place in at..at + 400 {
        for value in [0, b'\t', b'\n', 0x80, 0xff] {
            damaged[place] = value;
            differing += usize::from(executable(&damaged).go != intact);
        }
        damaged[place] = program[place];
    }
    assert!(differing > 1000, "{differing}");
    for length in at..at + 400 {
        let _ = executable(&program[..length]);
    }
    damaged[at + 15] = 0;
    assert!(executable(&damaged).damage[0].contains("before 1.18"));
    damaged[at + 15] = program[at + 15];
    // A length beyond the end of the file.
    damaged[at + 32..at + 38].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x7f, 0]);
    let found = executable(&damaged);
    assert_eq!((found.go, found.damage), (None, vec!["its Go build information is too long"]));
}
