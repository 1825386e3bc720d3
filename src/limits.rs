//! Every limit on a size or a count in this crate, one module per room. Durations are in
//! `timing.rs`. Lengths that a format fixes stay beside the format.
#![allow(dead_code, reason = "a feature that is switched off leaves the limits of its room unused")]

/// `audit`
pub(crate) mod audit {
    /// The longest line of a log in bytes, without its line feed. A reader needs no more memory
    /// than this for a line of any file.
    pub(crate) const RECORD_LINE_BYTES: usize = 64 * 1024;

    /// The longest signed note in bytes. A checkpoint takes about 200 bytes and 100 for each
    /// signature.
    pub(crate) const NOTE_BYTES: usize = 64 * 1024;

    /// The most signatures that a note may have.
    pub(crate) const NOTE_SIGNATURES: usize = 100;

    /// The longest name of a note key in bytes.
    pub(crate) const NOTE_KEY_NAME_BYTES: usize = 255;

    /// The longest key file of a log in bytes. Its three lines take less than 700.
    pub(crate) const KEY_FILE_BYTES: u64 = 4096;

    /// The longest checkpoint file in bytes, as [`NOTE_BYTES`].
    pub(crate) const CHECKPOINT_FILE_BYTES: u64 = NOTE_BYTES as u64;

    /// The longest proof in bytes: a record and two notes in base64, and the hashes.
    pub(crate) const PROOF_BYTES: usize = 512 * 1024;

    /// The most hashes in a proof: one for each time that a tree doubles, and a log counts records
    /// in 64 bits.
    pub(crate) const PROOF_HASHES: usize = 64;

    /// The buffer for reading a log in bytes: four of the longest lines.
    pub(crate) const READ_BUFFER_BYTES: usize = 4 * RECORD_LINE_BYTES;

    /// How many calls and launches without an end a verification remembers.
    pub(crate) const OPEN_ACTIONS: usize = 64 * 1024;

    /// The longest method name in bytes that a verification remembers: the longest text in an event
    /// and its ellipsis.
    pub(crate) const METHOD_BYTES: usize = 1024 + '…'.len_utf8();

    /// How many tasks may wait for the writer. A batch takes milliseconds, so a longer queue means
    /// that the disk does not answer.
    pub(crate) const QUEUED_TASKS: usize = 64 * 1024;

    /// How many bytes of memory their events may take. Most events take a few hundred bytes; this
    /// bounds large ones.
    pub(crate) const QUEUED_BYTES: usize = 64 * 1024 * 1024;

    /// How many mandatory entries may wait beyond [`QUEUED_TASKS`], and how many the writer keeps
    /// for a retry.
    pub(crate) const MANDATORY_ENTRIES: usize = 16 * 1024;

    /// How many bytes of memory they may take.
    pub(crate) const MANDATORY_BYTES: usize = 16 * 1024 * 1024;

    /// The disk space in bytes that a reservation holds: the size of the largest outcome.
    pub(crate) const RESERVATION_BYTES: u64 = 4096;

    /// The disk space in bytes that the writer holds for its own events: a checkpoint, a loss and
    /// the end.
    pub(crate) const OWN_EVENTS_BYTES: u64 = 16 * 1024;

    /// Disk space is allocated in steps of this many bytes, so that few batches call
    /// fallocate(2).
    pub(crate) const ALLOCATION_STEP_BYTES: u64 = 1024 * 1024;

    /// How many quarantined tails one `opened` record lists, the latest ones, so that the record
    /// fits into a line.
    pub(crate) const REPORTED_TAILS: usize = 32;

    /// A segment with this many bytes is full, unless the host chooses another size.
    pub(crate) const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

    /// The smallest size of a full segment in bytes that a host can choose.
    pub(crate) const SEGMENT_LEAST_BYTES: u64 = 4096;

    /// A checkpoint is due after this many records, unless the host chooses another number.
    pub(crate) const CHECKPOINT_RECORDS: u64 = 1000;

    /// How many records may wait for a sink.
    pub(crate) const SINK_RECORDS: usize = 4096;

    /// How many bytes of records may wait for a sink.
    pub(crate) const SINK_BYTES: usize = 16 * 1024 * 1024;

    /// The longest record in bytes that is sent to syslog. Daemons cut longer messages (rsyslog
    /// after 8 KiB by default), and a part of a record cannot be verified.
    pub(crate) const SYSLOG_LINE_BYTES: usize = 8000;

    /// The longest program name in syslog in bytes (APP-NAME of RFC 5424, section 6.2.5).
    pub(crate) const SYSLOG_TAG_BYTES: usize = 48;
}

/// `authoring`
pub(crate) mod authoring {
    /// Entries of a directory in which locked plugins are looked for.
    pub(crate) const INVENTORY_ENTRIES: usize = 100_000;

    /// Files and directories of one plugin in a manifest. A person signs for each.
    pub(crate) const PLUGIN_ENTRIES: usize = 100_000;

    /// Bytes of a file with a secret key. One that minisign writes has about 300.
    pub(crate) const SECRET_KEY_FILE_BYTES: usize = 4096;

    /// Bytes of a password: as many as minisign takes.
    pub(crate) const PASSWORD_BYTES: usize = 1024;

    /// Operations that a key file may ask for to derive its key: as many as minisign(1) uses
    /// (crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE of libsodium), some seconds.
    pub(crate) const DERIVATION_OPERATIONS: u64 = 1 << 25;

    /// Bytes of memory that a key file may ask for to derive its key: as many as minisign(1) uses
    /// (crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE of libsodium), a gibibyte.
    pub(crate) const DERIVATION_MEMORY_BYTES: u64 = 1 << 30;

    /// Bytes of an untrusted comment in a signature. minisign(1) always reads that many.
    pub(crate) const UNTRUSTED_COMMENT_BYTES: usize = 512;

    /// Bytes of a trusted comment in a signature. minisign(1) reads longer ones.
    pub(crate) const TRUSTED_COMMENT_BYTES: usize = 4096;
}

/// `event`
pub(crate) mod event {
    /// Bytes of one text in an event, after escaping. Longer text is cut: a record must stay small
    /// enough to be written in one piece.
    pub(crate) const TEXT_BYTES: usize = 1024;

    /// Facts in one event of the application. More are dropped.
    pub(crate) const APPLICATION_FACTS: usize = 32;
}

/// `fs`
pub(crate) mod fs {
    /// Symbolic links that are followed in one path: as many as the kernel follows
    /// (path_resolution(7)).
    pub(crate) const SYMLINKS: usize = 40;

    /// Bytes of the path of a private directory that holds sockets. The address of a socket has at
    /// most 107 bytes (unix(7)), and peers append `/plugin` and up to twenty digits.
    pub(crate) const SOCKET_DIRECTORY_BYTES: usize = 107 - 28;

    /// Attempts to create a private directory. One fails only if another process locks the new
    /// directory first.
    pub(crate) const CREATE_ATTEMPTS: u32 = 16;

    /// Entries that a drop removes beyond those that the caller announced: the marker, and a little
    /// that may have been added.
    pub(crate) const ENTRIES_MARGIN: u32 = 16;

    /// Entries that a drop removes before it hands the directory to the remover thread: a launch
    /// leaves a few sockets.
    pub(crate) const QUICK_ENTRIES: usize = 8;

    /// Levels of directories that are removed. No files of this library are deeper; a plugin that
    /// nests deeper leaves them on disk.
    pub(crate) const REMOVAL_DEPTH: u32 = 40;

    /// Entries of one private directory, or of all those that one sweep finds, that are removed. A
    /// plugin that leaves more leaves them on disk.
    pub(crate) const REMOVAL_ENTRIES: u32 = 10_000;
}

/// `handshake`
pub(crate) mod handshake {
    /// The longest handshake line that a host reads, without its line feed. go-plugin hosts read as
    /// much.
    pub(crate) const HANDSHAKE_LINE_BYTES: usize = 64 * 1024;

    /// Bytes of a plugin's output or address that an error quotes. Enough to recognize a message.
    pub(crate) const QUOTED_BYTES: usize = 200;

    /// Bytes of the protocol field that are kept. Known protocols have at most six.
    pub(crate) const PROTOCOL_FIELD_BYTES: usize = 32;
}

/// `host`
pub(crate) mod host {
    /// Bytes per read of a plugin's output.
    pub(crate) const OUTPUT_READ_BYTES: usize = 16 * 1024;

    /// Bytes at the end of a plugin's output that the report of a failed start can quote.
    pub(crate) const OUTPUT_TAIL_BYTES: usize = 4 * 1024;

    /// Bytes of one line of output that are logged. The rest of a longer line is dropped.
    pub(crate) const OUTPUT_LINE_BYTES: usize = 4 * 1024;

    /// Bytes of a request that are read before its call is recorded. A unary request arrives in one
    /// piece of any size, so this bounds streams only.
    pub(crate) const REQUEST_AHEAD_BYTES: usize = 64 * 1024;

    /// Bytes of a response that wait for a record. With more, the messages are recorded although
    /// further ones are already there.
    pub(crate) const HELD_RESPONSE_BYTES: usize = 1024 * 1024;

    /// Named arguments of one call.
    pub(crate) const CALL_ARGUMENTS: usize = 32;

    /// Bytes of the name of an argument.
    pub(crate) const ARGUMENT_NAME_BYTES: usize = 64;
}

/// `inspect`
pub(crate) mod inspect {
    /// Directories of a search path that are looked at. No program names nearly this many.
    pub(crate) const SEARCH_DIRECTORIES: usize = 128;

    /// Bytes of the attribute `security.capability`. Every known revision has at most 24.
    pub(crate) const CAPABILITY_ATTRIBUTE_BYTES: usize = 256;

    /// Bytes of an ELF note segment. A real one has some dozen.
    pub(crate) const NOTE_BYTES: u64 = 64 * 1024;

    /// Note segments of one file.
    pub(crate) const NOTE_SEGMENTS: usize = 16;

    /// Bytes of a build id. Linkers make 20 (SHA-1) or 16 (UUID); a user can set longer ones.
    pub(crate) const BUILD_ID_BYTES: usize = 64;

    /// Bytes of the names of dynamic symbols: 64 MiB. The largest libraries have less.
    pub(crate) const SYMBOL_NAMES_BYTES: u64 = 64 * 1024 * 1024;

    /// Bytes of the Go version in a program's build information.
    pub(crate) const GO_VERSION_BYTES: u64 = 1024;

    /// Bytes of the Go modules in a program's build information: 1 MiB. A program with a thousand
    /// dependencies has 200 kB.
    pub(crate) const GO_MODULES_BYTES: u64 = 1024 * 1024;

    /// Lines of the Go modules in a program's build information.
    pub(crate) const GO_LINES: usize = 16 * 1024;

    /// How far into a data segment the build information is searched for, in bytes: 1 MiB. The
    /// linker puts it near the beginning.
    pub(crate) const GO_SEARCH_BYTES: u64 = 1024 * 1024;
}

/// `launch`, `exec` and `environment`
pub(crate) mod launch {
    /// The longest `NAME=value`, with its NUL byte. The kernel's bound (execve(2),
    /// `MAX_ARG_STRLEN`).
    pub(crate) const ENVIRONMENT_VARIABLE_BYTES: usize = 128 * 1024;

    /// Bytes of a variable's name that an error quotes.
    pub(crate) const QUOTED_NAME_BYTES: usize = 64;

    /// How often executing a private copy is repeated after ETXTBSY. With the pause between two
    /// attempts this is one second; the reason passes within milliseconds.
    pub(crate) const BUSY_RETRIES: u32 = 200;

    /// How often a new process is checked for being traceable before its memory is set up. The
    /// first or second check nearly always decides.
    pub(crate) const TRACE_CHECKS: u32 = 100;

    /// The stack of a new process until it executes the plugin, in bytes. It runs a few system
    /// calls.
    pub(crate) const CHILD_STACK_BYTES: usize = 64 * 1024;
}

/// `machine`
pub(crate) mod machine {
    /// The largest file of `/proc` and `/sys` that is read. A list of mounts can be long.
    pub(crate) const KERNEL_FILE_BYTES: u64 = 1024 * 1024;

    /// Entries of a plugin directory that are checked. A directory with more is reported as
    /// unknown.
    pub(crate) const DIRECTORY_ENTRIES: usize = 10_000;

    /// Paths that the evidence names one by one. It counts the others.
    pub(crate) const NAMED_PATHS: usize = 10;
}

/// `plugin`
pub(crate) mod plugin {}

/// `rpc`
pub(crate) mod rpc {
    /// The largest message that this crate recommends to accept. tonic's own default is 4 MiB,
    /// which plugins of go-plugin exceed.
    pub(crate) const MESSAGE_BYTES: usize = 64 * 1024 * 1024;

    /// The largest response of the health service. A real one has a few bytes.
    pub(crate) const HEALTH_MESSAGE_BYTES: usize = 64 * 1024;

    /// The largest message of plugin output. go-plugin sends 1 KiB.
    pub(crate) const STDIO_MESSAGE_BYTES: usize = 1024 * 1024;

    /// Bytes of one message of plugin output that are logged.
    pub(crate) const STDIO_LOGGED_BYTES: usize = 1024;

    /// The largest response to a probe for a service. A probe has no real response.
    pub(crate) const PROBE_MESSAGE_BYTES: usize = 1024;

    /// Services that are accepted from a plugin's list.
    pub(crate) const LISTED_SERVICES: usize = 256;

    /// The longest name of a service, in bytes.
    pub(crate) const SERVICE_NAME_BYTES: usize = 256;

    /// The largest response of the reflection service: the two bounds above leave room for it.
    pub(crate) const REFLECTION_MESSAGE_BYTES: usize = 256 * 1024;

    /// Characters of a plugin's status message that an error keeps.
    pub(crate) const STATUS_MESSAGE_CHARACTERS: usize = 500;

    /// Characters of an overlong service name that an error quotes.
    pub(crate) const QUOTED_NAME_CHARACTERS: usize = 80;
}

/// `tls`
pub(crate) mod tls {}

/// `transport`
pub(crate) mod transport {
    /// The longest HTTP/2 frame, sent and received. With its header of nine bytes it fills four TLS
    /// records (RFC 8446, section 5.1). That takes fewer system calls than HTTP/2's default of
    /// 16 KiB, and stays below the size at which allocators map each block separately.
    pub(crate) const FRAME_BYTES: u32 = 4 * 16 * 1024 - 9;

    /// How many bytes the peer may send in one stream before they are read (RFC 9113, section 5.2).
    pub(crate) const STREAM_WINDOW_BYTES: u32 = 2 * 1024 * 1024;

    /// How many bytes the peer may send in all streams of a connection before they are read. More
    /// than two full streams, so that one slow reader does not stop the others.
    pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 5 * 1024 * 1024;

    /// The largest list of header fields that is received (RFC 9113, section 6.5.2).
    pub(crate) const HEADER_LIST_BYTES: u32 = 64 * 1024;

    /// Calls that a host begins before the plugin has announced its own bound (RFC 9113, section
    /// 6.5.2 recommends at least 100). Further calls wait.
    pub(crate) const INITIAL_CALLS: usize = 100;

    /// Calls of one connection that a plugin answers concurrently. Further calls wait in the host.
    pub(crate) const CONCURRENT_CALLS: u32 = 4096;

    /// Calls that a plugin accepts from a connection before its other tasks run.
    pub(crate) const CALLS_PER_TURN: usize = 4;

    /// Bytes of one connection that may be queued before the peer has granted capacity. HTTP/2
    /// keeps them until it does, also after their calls were cancelled. Senders of more wait.
    pub(crate) const UNSENT_BYTES: usize = 16 * 1024 * 1024;

    /// Connections of other processes than the host's that may be in the TLS handshake together.
    pub(crate) const PENDING_CONNECTIONS: usize = 64;

    /// Bytes that are read from the kernel at a time while much arrives. TLS alone reads 4 KiB, a
    /// quarter of a record.
    pub(crate) const READ_AHEAD_BYTES: usize = 64 * 1024;

    /// A read of no more than this ends reading ahead: the socket is probably empty.
    pub(crate) const READ_AHEAD_FROM_BYTES: usize = 4 * 1024;

    /// A block of this size is allocated and freed once, after which glibc retains up to twice as
    /// much: the memory of a few large messages.
    pub(crate) const RETAINED_HEAP_BYTES: usize = 8 * 1024 * 1024;
}

/// `verify/sources`
pub(crate) mod sources {
    /// Bytes of a checksum file: well over a million lines.
    pub(crate) const CHECKSUM_FILE_BYTES: u64 = 128 * 1024 * 1024;

    /// Bytes of a line of a checksum file: the longest path that Linux resolves with every byte
    /// escaped, and more.
    pub(crate) const CHECKSUM_LINE_BYTES: usize = 16 * 1024;

    /// Bytes of a path that Linux resolves (`PATH_MAX`). No longer suffix of a path is looked up.
    pub(crate) const PATH_BYTES: usize = 4096;

    /// Bytes of a file with a public key. One that minisign writes has about 110.
    pub(crate) const PUBLIC_KEY_FILE_BYTES: u64 = 4096;

    /// Bytes of a signature file. The comments of minisign have at most 9 KiB.
    pub(crate) const SIGNATURE_FILE_BYTES: u64 = 16 * 1024;

    /// Bytes of a stream that are hashed at a time.
    pub(crate) const SIGNATURE_BUFFER_BYTES: usize = 256 * 1024;

    /// Bytes of a lock file: far more than a person can review.
    pub(crate) const LOCK_FILE_BYTES: u64 = 4 * 1024 * 1024;

    /// Characters of a note in a lock file: a few lines in a review.
    pub(crate) const LOCK_NOTE_CHARACTERS: usize = 500;

    /// Bytes of a manifest: room for some hundred thousand files.
    pub(crate) const MANIFEST_FILE_BYTES: u64 = 16 * 1024 * 1024;

    /// Arguments that a manifest may give an interpreter.
    pub(crate) const INTERPRETER_ARGUMENTS: usize = 64;

    /// Bytes of one argument of an interpreter.
    pub(crate) const INTERPRETER_ARGUMENT_BYTES: usize = 4096;

    /// Bytes of a path in a bundle.
    pub(crate) const BUNDLE_PATH_BYTES: usize = 1024;

    /// Names in a path in a bundle. Below the depth that is removed again.
    pub(crate) const BUNDLE_PATH_DEPTH: usize = 32;

    /// Bytes of one name of a path in a bundle, as on Linux (`NAME_MAX`).
    pub(crate) const BUNDLE_NAME_BYTES: usize = 255;

    /// Bytes of the name of a plugin.
    pub(crate) const PLUGIN_NAME_BYTES: usize = 64;

    /// Bytes of the operating system and of the architecture in a platform.
    pub(crate) const PLATFORM_WORD_BYTES: usize = 32;

    /// Bytes of a TOML string that is parsed into a value: a path in a bundle is the longest.
    /// Versions have no limit of their own, and are shown.
    pub(crate) const TOML_STRING_BYTES: usize = 1024;

    /// Characters of the parser's message that are kept, because it may quote the document.
    pub(crate) const TOML_MESSAGE_CHARACTERS: usize = 300;

    /// Characters of a foreign `format` that an error quotes.
    pub(crate) const FORMAT_CHARACTERS: usize = 64;

    /// Weight of TOML punctuation that a document of any size may have.
    pub(crate) const TOML_FREE_WEIGHT: usize = 4096;
}

/// `verify`
pub(crate) mod verify {
    /// Bytes of a plugin's file, or of all its files together, unless a policy sets another limit:
    /// 1 GiB. Real plugins have tens of megabytes.
    pub(crate) const PLUGIN_BYTES: u64 = 1024 * 1024 * 1024;

    /// Bytes of the images that a policy keeps unless it shares another cache: 512 MiB.
    pub(crate) const IMAGE_CACHE_BYTES: u64 = 512 * 1024 * 1024;

    /// Bytes of a policy file: 1 MiB. People write it by hand.
    pub(crate) const POLICY_BYTES: u64 = 1024 * 1024;

    /// How often sealing memory is tried. fcntl(2) fails with EBUSY while the kernel migrates the
    /// pages, which lasts a moment.
    pub(crate) const SEAL_ATTEMPTS: usize = 20;

    /// How often openat2(2) is repeated after EAGAIN: a rename elsewhere can disturb the walk.
    pub(crate) const OPENAT2_ATTEMPTS: u32 = 64;

    /// Bytes of a dynamic section. A real one has some hundred.
    pub(crate) const DYNAMIC_SECTION_BYTES: u64 = 64 * 1024;

    /// Bytes of program headers. The kernel's bound (binfmt_elf.c, `load_elf_phdrs`).
    pub(crate) const PROGRAM_HEADER_BYTES: usize = 64 * 1024;

    /// Section headers. No linker makes nearly this many for a program.
    pub(crate) const SECTIONS: u32 = 64 * 1024;

    /// Bytes of a library's name or of a search path: the longest path that the kernel takes
    /// (`PATH_MAX`).
    pub(crate) const ELF_STRING_BYTES: u64 = 4096;

    /// Libraries and search paths that are listed. No program is linked with nearly this many.
    pub(crate) const LIBRARIES: usize = 512;
}
