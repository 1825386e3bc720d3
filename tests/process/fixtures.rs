//! The plugins and hosts that this binary plays, selected by its first argument. Most misbehave.
//! The tests that launch them are in the other files.

use std::convert::Infallible;
use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use portcullis::plugin;
use tonic::service::Routes;

use crate::raw_server::{self, Certificate};
use crate::talk;
use crate::{slow, support};

/// Plays the fixture that the first argument names, if it names one.
pub fn play() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first()?.strip_prefix("fixture:")?.to_string();
    let rest: Vec<&str> = arguments[1..].iter().map(String::as_str).collect();
    Some(perform(&name, &rest))
}

fn perform(name: &str, arguments: &[&str]) -> ExitCode {
    match (name, arguments) {
        ("serve", []) => serve(),
        ("serve-slowly", []) => serve_slowly(),
        #[cfg(feature = "audit")]
        ("serve-when", [file, pid]) => serve_when(Path::new(file), Path::new(pid)),
        ("talk", _) => talk(),
        ("serve-in-place", [file, digest]) => serve_in_place(Path::new(file), digest),
        ("hold-connection", [file]) => hold_connection(Path::new(file)),
        ("print-first", []) => print_first(),
        ("state", [file]) => write_state(Path::new(file)),
        ("line", [line]) => write_line(line),
        ("silent", []) => sleep(),
        ("drip", []) => drip(),
        ("endless", []) => endless(),
        ("exit", [code]) => {
            eprintln!("first words\nlast words \x1b[31m");
            ExitCode::from(code.parse::<u8>().unwrap())
        }
        ("abort", []) => std::process::abort(),
        ("raw", [mode]) => raw_server::serve(mode),
        ("stubborn", []) => raw_server::serve("stubborn"),
        ("flood", [done]) => flood(Path::new(done)),
        ("wrap", inner) => wrap(inner),
        #[cfg(feature = "reflection")]
        ("reflect", [how]) => crate::reflector::serve(how),
        ("count-bytes", [file]) => count_bytes(Path::new(file)),
        ("ended-holding-output", []) => ended_holding_output(),
        ("link-directory", [target]) => link_directory(Path::new(target)),
        ("open-image", []) => open_image(),
        ("link", [target]) => link(Path::new(target)),
        ("regular-file", []) => regular_file(),
        ("leave", [how, file]) => leave(how, Path::new(file)),
        ("hold", []) => sleep(),
        ("hold-shortly", []) => {
            std::thread::sleep(Duration::from_secs(20));
            ExitCode::SUCCESS
        }
        #[cfg(feature = "audit")]
        ("host-without-room", [place]) => {
            crate::audit::host_without_room(place.into());
            ExitCode::SUCCESS
        }
        ("host", [place, file]) => host(Path::new(place), Path::new(file)),
        ("launch-state", [place, file]) => launch_state(Path::new(place), file),
        ("cancelling-host", [place]) => cancelling_host(Path::new(place)),
        ("foreign-host", [file]) => foreign_host(Path::new(file)),
        other => panic!("no such fixture: {other:?}"),
    }
}

/// A well-behaved plugin without a service of its own.
fn serve() -> ExitCode {
    plugin::builder("BASIC_PLUGIN", "hello").version(1, no_services).serve()
}

async fn no_services() -> Result<Routes, Infallible> {
    Ok(Routes::default())
}

/// Verifies a program and replaces itself with it (execve(2)), as `plugin-verify exec` does between
/// a host and its plugin.
fn serve_in_place(file: &Path, digest: &str) -> ExitCode {
    let verified = portcullis::Policy::new().allow(digest.parse().unwrap()).verify(file).unwrap();
    let environment = portcullis::exec::Environment::empty().inherit_env();
    let program = portcullis::exec::Program::new(verified).with_environment(environment);
    panic!("{}", portcullis::Chain::of(&program.args(support::fixture(&["serve"])).replace()))
}

/// A well-behaved plugin with a call that takes a second.
fn serve_slowly() -> ExitCode {
    plugin::builder("BASIC_PLUGIN", "hello")
        .version(1, || async { Ok::<_, Infallible>(Routes::new(slow::SlowServer)) })
        .serve()
}

/// A well-behaved plugin that serves once `file` exists.
#[cfg(feature = "audit")]
fn serve_when(file: &Path, pid: &Path) -> ExitCode {
    fs::write(pid, format!("{}\n", std::process::id())).unwrap();
    support::eventually("the file exists", || file.exists());
    serve()
}

/// A well-behaved plugin whose service answers as each test wants.
fn talk() -> ExitCode {
    plugin::builder("BASIC_PLUGIN", "hello")
        .version(1, || async { Ok::<_, Infallible>(Routes::new(talk::TalkServer)) })
        .serve()
}

/// Holds the connection that it inherits as standard input, and creates a file when it is closed.
fn hold_connection(file: &Path) -> ExitCode {
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    fs::write(file, "").unwrap();
    ExitCode::SUCCESS
}

fn print_first() -> ExitCode {
    let plugin = plugin::builder("BASIC_PLUGIN", "hello");
    println!("a banner");
    print!("and something without an end of line");
    plugin
        .version(1, || async {
            println!("setting up");
            no_services().await
        })
        .serve()
}

/// Writes its environment, descriptors and process attributes to a file, then serves.
fn write_state(file: &Path) -> ExitCode {
    let mut state = String::new();
    for (name, _) in std::env::vars_os() {
        state += &format!("variable {}\n", name.to_string_lossy());
    }
    let mut descriptors: Vec<i32> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().parse().unwrap())
        .collect();
    // The listing includes the descriptor of the listing, which is closed by now.
    descriptors.retain(|fd| Path::new(&format!("/proc/self/fd/{fd}")).exists());
    descriptors.sort_unstable();
    state += &format!("descriptors {descriptors:?}\n");
    state += &format!("arguments {:?}\n", std::env::args().collect::<Vec<_>>());
    state += &format!("directory {}\n", std::env::current_dir().unwrap().display());
    state += &format!("stdin {}\n", io::read_to_string(io::stdin()).unwrap().len());
    state += &format!("leader {}\n", rustix::process::getsid(None).unwrap() == rustix::process::getpid());
    state += &format!("group {}\n", rustix::process::getpgrp() == rustix::process::getpid());
    state += &format!("terminal {}\n", fs::File::open("/dev/tty").is_ok());
    state += &format!("core {:?}\n", rustix::process::getrlimit(rustix::process::Resource::Core).maximum);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    for line in status
        .lines()
        .filter(|line| ["NoNewPrivs", "Umask", "SigIgn", "SigBlk"].iter().any(|name| line.starts_with(name)))
    {
        state += &format!("{}\n", line.replace(":\t", " "));
    }
    fs::write(file, state).unwrap();
    serve()
}

/// Writes one handshake line. Replaces `{DIR}` by the private directory, `{CERT}` by a new
/// certificate, `{TWO}` by two concatenated ones and `{HOST}` by the certificate of the host.
fn write_line(line: &str) -> ExitCode {
    let line = line
        .replace("{DIR}", &raw_server::directory().to_string_lossy())
        .replace("{CERT}", &Certificate::new().field())
        .replace(
            "{TWO}",
            &raw_server::field(&[Certificate::new().der.as_ref(), Certificate::new().der.as_ref()].concat()),
        )
        .replace("{HOST}", &raw_server::field(&raw_server::host_certificate()));
    print_line(&line);
    sleep()
}

fn print_line(line: &str) {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").unwrap();
    stdout.flush().unwrap();
}

fn sleep() -> ExitCode {
    std::thread::sleep(2 * support::LONG);
    ExitCode::SUCCESS
}

fn drip() -> ExitCode {
    loop {
        let mut stdout = io::stdout().lock();
        if stdout.write_all(b"1").and_then(|()| stdout.flush()).is_err() {
            return ExitCode::FAILURE;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn endless() -> ExitCode {
    let zeros = [0; 8192];
    while io::stdout().lock().write_all(&zeros).is_ok() {}
    ExitCode::FAILURE
}

/// Writes far more than any buffer holds to both outputs while it serves, and creates a file when
/// all is written.
fn flood(done: &Path) -> ExitCode {
    const AMOUNT: usize = 16 * 1024 * 1024;
    let done = PathBuf::from(done);
    // Runs after the server has written the handshake line to standard output.
    raw_server::serve_and("healthy", move || {
        let line = [&[b'x'; 99][..], b"\n"].concat();
        let errors = std::thread::spawn({
            let line = line.clone();
            move || (0..AMOUNT / line.len()).all(|_| io::stderr().lock().write_all(&line).is_ok())
        });
        // One endless line.
        let output = (0..AMOUNT / 4096).all(|_| io::stdout().lock().write_all(&[b'y'; 4096]).is_ok());
        if output && errors.join().unwrap() {
            fs::write(done, "1\n").unwrap();
        }
    })
}

/// Starts another process, and presents its handshake line as its own.
fn wrap(inner: &[&str]) -> ExitCode {
    let mut child = Command::new("/proc/self/exe")
        .args(support::fixture(inner))
        // Outside the group that is killed with this process, so that it can report what it saw.
        .process_group(0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    io::BufRead::read_line(&mut io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    print_line(line.trim_end());
    child.wait().unwrap();
    ExitCode::SUCCESS
}

/// Listens, and writes to a file how many bytes the first client sent.
fn count_bytes(file: &Path) -> ExitCode {
    let path = raw_server::directory().join("plugin");
    let listener = UnixListener::bind(&path).unwrap();
    print_line(&format!("1|1|unix|{}|grpc|{}", path.display(), Certificate::new().field()));
    let (mut client, _) = listener.accept().unwrap();
    let mut bytes = Vec::new();
    let _ = io::Read::read_to_end(&mut client, &mut bytes);
    fs::write(file, format!("{}\n", bytes.len())).unwrap();
    ExitCode::SUCCESS
}

fn link(target: &Path) -> ExitCode {
    std::os::unix::fs::symlink(target, raw_server::directory().join("plugin")).unwrap();
    write_line("1|1|unix|{DIR}/plugin|grpc|{CERT}")
}

/// Names a socket below a symlink to another directory.
fn link_directory(target: &Path) -> ExitCode {
    std::os::unix::fs::symlink(target.parent().unwrap(), raw_server::directory().join("inside")).unwrap();
    let name = target.file_name().unwrap().to_string_lossy();
    write_line(&format!("1|1|unix|{{DIR}}/inside/{name}|grpc|{{CERT}}"))
}

/// Exits without a handshake line and leaves a process outside its group that holds its output.
fn ended_holding_output() -> ExitCode {
    let holder = Command::new("/proc/self/exe").args(support::fixture(&["hold-shortly"])).process_group(0).spawn();
    drop(holder.unwrap());
    ExitCode::from(5)
}

/// Serves, and makes its own image readable for everyone, which its owner may do.
fn open_image() -> ExitCode {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions("/proc/self/exe", fs::Permissions::from_mode(0o555)).unwrap();
    serve()
}

fn regular_file() -> ExitCode {
    fs::write(raw_server::directory().join("plugin"), "").unwrap();
    write_line("1|1|unix|{DIR}/plugin|grpc|{CERT}")
}

/// Serves, and leaves a child that outlives it: outside the plugin's group, or in it.
fn leave(how: &str, file: &Path) -> ExitCode {
    let mut child = Command::new("/proc/self/exe");
    child.args(support::fixture(&["hold"]));
    if how == "session" {
        child.process_group(0);
    }
    let child = child.spawn().unwrap();
    fs::write(file, format!("{}\n", child.id())).unwrap();
    serve()
}

/// A host: launches a plugin, writes its process id to a file, and waits to be killed.
fn host(place: &Path, file: &Path) -> ExitCode {
    support::run(async {
        let plugin = portcullis::host::Plugin::builder(support::verified())
            .with_protocol(support::protocol())
            .with_environment(portcullis::host::Environment::empty())
            .with_runtime_directory(place)
            // A plugin without the SDK: one with the SDK would notice the end of the host.
            .args(support::fixture(&["raw", "healthy"]))
            .launch()
            .await
            .unwrap();
        fs::write(file, format!("{}\n", plugin.pid())).unwrap();
        std::future::pending::<()>().await;
    });
    ExitCode::SUCCESS
}

/// A host that launches a plugin and exits.
fn launch_state(place: &Path, file: &str) -> ExitCode {
    support::run(async {
        let launch = portcullis::host::Plugin::builder(support::verified())
            .with_protocol(support::protocol())
            .with_environment(portcullis::host::Environment::empty())
            .with_runtime_directory(place)
            .args(support::fixture(&["state", file]));
        launch.launch().await.unwrap();
    });
    ExitCode::SUCCESS
}

/// A host that cancels every launch, in small steps from before the fork to after the first
/// response.
fn cancelling_host(place: &Path) -> ExitCode {
    const STEPS: u64 = 150;
    let verified = support::verified();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let launch = |limit| {
        let launch = portcullis::host::Plugin::builder(verified.clone())
            .with_protocol(support::protocol())
            .with_environment(portcullis::host::Environment::empty())
            .with_runtime_directory(place)
            .args(support::fixture(&["serve"]))
            .launch();
        runtime.block_on(async { tokio::time::timeout(limit, launch).await.is_ok_and(|launched| launched.is_ok()) })
    };
    // One complete launch creates everything that exists once per process, before descriptors are
    // counted.
    assert!(launch(support::LONG));
    // A dropped launch leaves work to async tasks, which need the runtime to run again, and to the
    // launcher thread.
    let settle = || {
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
        fs::read_dir("/proc/self/task")
            .unwrap()
            .map(Result::unwrap)
            .map(|task| task.path().join("children"))
            .all(|children| fs::read_to_string(children).unwrap_or_default().is_empty())
    };
    support::eventually("the first plugin is gone", settle);
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    let finished = (0..STEPS).filter(|step| launch(Duration::from_micros(400 * step))).count();
    support::eventually("no process is left", settle);
    support::eventually("no descriptor is left", || settle() && descriptors() == before);
    assert!((1..STEPS as usize).contains(&finished), "{finished} of {STEPS} launches were not cancelled");
    ExitCode::SUCCESS
}

/// A host without the library, whose plugin does not die with it.
fn foreign_host(file: &Path) -> ExitCode {
    let certificate = Certificate::new();
    let mut child = Command::new("/proc/self/exe")
        .args(support::fixture(&["serve"]))
        .env("BASIC_PLUGIN", "hello")
        .env("PLUGIN_PROTOCOL_VERSIONS", "1")
        .env("PLUGIN_CLIENT_CERT", certificate.pem())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = io::BufReader::new(child.stdout.take().unwrap());
    io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    let socket = line.split('|').nth(3).unwrap();
    fs::write(file.with_extension("socket"), socket).unwrap();
    fs::write(file, format!("{}\n", child.id())).unwrap();
    assert!(stdout.get_ref().as_raw_fd() > 2);
    sleep()
}
