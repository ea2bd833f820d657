//! Functions of the host, as a component imports them and as its core module calls them.

use crate::interfaces::{
    CLOCK_INTERFACE, EXIT_INTERFACE, FILES_INTERFACE, HTTP_INTERFACE, INSECURE_INTERFACE,
    POLL_INTERFACE, PREOPENS_INTERFACE, RANDOM_INTERFACE, REPORT_INTERFACE, SOCKETS_INTERFACE,
    STDOUT_INTERFACE, STREAMS_INTERFACE,
};

/// A function of the host.
#[derive(Debug, Clone, Copy)]
pub struct HostCall {
    /// The imports of the interfaces that the function needs; its own interface is the last.
    pub interfaces: &'static [&'static str],
    /// The function's name in the core module.
    pub name: &'static str,
    /// The function's path in the component, or [`DROP`] with the type of a resource.
    pub function: &'static str,
    /// The function's type in the core module.
    pub signature: &'static str,
}

/// The prefix of a function that drops a resource.
pub const DROP: &str = "drop ";

/// Waits for one of several pollables.
pub const POLL: HostCall = HostCall {
    interfaces: &[POLL_INTERFACE],
    name: "poll",
    function: r#"$poll "poll""#,
    signature: "(param i32 i32 i32)",
};

/// Waits for one pollable.
pub const BLOCK: HostCall = HostCall {
    interfaces: &[POLL_INTERFACE],
    name: "block",
    function: r#"$poll "[method]pollable.block""#,
    signature: "(param i32)",
};

/// Returns a pollable that is ready after the given nanoseconds.
pub const AFTER: HostCall = HostCall {
    interfaces: &[POLL_INTERFACE, CLOCK_INTERFACE],
    name: "after",
    function: r#"$clock "subscribe-duration""#,
    signature: "(param i64) (result i32)",
};

/// Returns the given number of random bytes.
pub const RANDOM: HostCall = HostCall {
    interfaces: &[RANDOM_INTERFACE],
    name: "random",
    function: r#"$random "get-random-bytes""#,
    signature: "(param i64 i32)",
};

/// Returns the given number of insecure random bytes.
pub const INSECURE_RANDOM: HostCall = HostCall {
    interfaces: &[INSECURE_INTERFACE],
    name: "insecure-random",
    function: r#"$insecure "get-insecure-random-bytes""#,
    signature: "(param i64 i32)",
};

/// Creates a TCP socket.
pub const TCP_SOCKET: HostCall = HostCall {
    interfaces: &[SOCKETS_INTERFACE],
    name: "tcp-socket",
    function: r#"$tcp-create "create-tcp-socket""#,
    signature: "(param i32 i32)",
};

/// Creates a UDP socket.
pub const UDP_SOCKET: HostCall = HostCall {
    interfaces: &[SOCKETS_INTERFACE],
    name: "udp-socket",
    function: r#"$udp-create "create-udp-socket""#,
    signature: "(param i32 i32)",
};

/// Returns the standard output.
pub const STDOUT: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, STDOUT_INTERFACE],
    name: "stdout",
    function: r#"$stdout "get-stdout""#,
    signature: "(result i32)",
};

/// Writes without checking the allowed size first.
pub const WRITE: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE],
    name: "write",
    function: r#"$streams "[method]output-stream.write""#,
    signature: "(param i32 i32 i32 i32)",
};

/// Writes up to 4 KiB and flushes.
pub const WRITE_AND_FLUSH: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE],
    name: "write-and-flush",
    function: r#"$streams "[method]output-stream.blocking-write-and-flush""#,
    signature: "(param i32 i32 i32 i32)",
};

/// Writes the given number of zeroes.
pub const WRITE_ZEROES: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE],
    name: "write-zeroes",
    function: r#"$streams "[method]output-stream.write-zeroes""#,
    signature: "(param i32 i64 i32)",
};

/// Opens and returns all preopened directories.
pub const DIRECTORIES: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, FILES_INTERFACE, PREOPENS_INTERFACE],
    name: "directories",
    function: r#"$preopens "get-directories""#,
    signature: "(param i32)",
};

/// Opens a file or directory.
pub const OPEN: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, FILES_INTERFACE],
    name: "open",
    function: r#"$files "[method]descriptor.open-at""#,
    signature: "(param i32 i32 i32 i32 i32 i32 i32)",
};

/// Starts to list a directory.
pub const LIST: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, FILES_INTERFACE],
    name: "list",
    function: r#"$files "[method]descriptor.read-directory""#,
    signature: "(param i32 i32)",
};

/// Ends the listing of a directory.
pub const DROP_LISTING: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, FILES_INTERFACE],
    name: "drop-listing",
    function: "drop $listing",
    signature: "(param i32)",
};

/// Exits.
pub const EXIT: HostCall = HostCall {
    interfaces: &[EXIT_INTERFACE],
    name: "exit",
    function: r#"$exit "exit""#,
    signature: "(param i32)",
};

/// Reports a panic, before the trap that follows it.
pub const PANICKED: HostCall = HostCall {
    interfaces: &[REPORT_INTERFACE],
    name: "panicked",
    function: r#"$report "panicked""#,
    signature: "(param i32 i32 i32 i32 i32)",
};

/// Creates a directory.
pub const MAKE_DIRECTORY: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, FILES_INTERFACE],
    name: "make-directory",
    function: r#"$files "[method]descriptor.create-directory-at""#,
    signature: "(param i32 i32 i32 i32)",
};

/// Creates a symbolic link.
pub const SYMLINK: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, FILES_INTERFACE],
    name: "symlink",
    function: r#"$files "[method]descriptor.symlink-at""#,
    signature: "(param i32 i32 i32 i32 i32 i32)",
};

/// Removes a file or a symbolic link.
pub const UNLINK: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, FILES_INTERFACE],
    name: "unlink",
    function: r#"$files "[method]descriptor.unlink-file-at""#,
    signature: "(param i32 i32 i32 i32)",
};

/// Creates a stream that reads a file.
pub const READ_STREAM: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, FILES_INTERFACE],
    name: "read-stream",
    function: r#"$files "[method]descriptor.read-via-stream""#,
    signature: "(param i32 i64 i32)",
};

/// Reads from a stream without waiting.
pub const READ: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE],
    name: "read",
    function: r#"$streams "[method]input-stream.read""#,
    signature: "(param i32 i64 i32)",
};

/// Reads from a stream, and waits until something was read.
pub const BLOCKING_READ: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE],
    name: "blocking-read",
    function: r#"$streams "[method]input-stream.blocking-read""#,
    signature: "(param i32 i64 i32)",
};

/// Writes to a file.
pub const WRITE_FILE: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, FILES_INTERFACE],
    name: "write-file",
    function: r#"$files "[method]descriptor.write""#,
    signature: "(param i32 i32 i32 i64 i32)",
};

/// Creates HTTP fields from a list.
pub const FIELDS_OF_LIST: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, HTTP_INTERFACE],
    name: "fields-of-list",
    function: r#"$http "[static]fields.from-list""#,
    signature: "(param i32 i32 i32)",
};

/// Creates HTTP fields.
pub const FIELDS: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, HTTP_INTERFACE],
    name: "fields",
    function: r#"$http "[constructor]fields""#,
    signature: "(result i32)",
};

/// Appends an HTTP field.
pub const APPEND_FIELD: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, HTTP_INTERFACE],
    name: "append",
    function: r#"$http "[method]fields.append""#,
    signature: "(param i32 i32 i32 i32 i32 i32)",
};

/// Clones HTTP fields.
pub const CLONE_FIELDS: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, HTTP_INTERFACE],
    name: "clone-fields",
    function: r#"$http "[method]fields.clone""#,
    signature: "(param i32) (result i32)",
};

/// Creates an HTTP request.
pub const REQUEST: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, HTTP_INTERFACE],
    name: "request",
    function: r#"$http "[constructor]outgoing-request""#,
    signature: "(param i32) (result i32)",
};

/// Sets the method of an HTTP request.
pub const SET_METHOD: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, HTTP_INTERFACE],
    name: "set-method",
    function: r#"$http "[method]outgoing-request.set-method""#,
    signature: "(param i32 i32 i32 i32) (result i32)",
};

/// Sets the path of an HTTP request.
pub const SET_PATH: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, HTTP_INTERFACE],
    name: "set-path",
    function: r#"$http "[method]outgoing-request.set-path-with-query""#,
    signature: "(param i32 i32 i32 i32) (result i32)",
};

/// Sets the host of an HTTP request.
pub const SET_AUTHORITY: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, HTTP_INTERFACE],
    name: "set-authority",
    function: r#"$http "[method]outgoing-request.set-authority""#,
    signature: "(param i32 i32 i32 i32) (result i32)",
};

/// Creates the body of an HTTP request.
pub const BODY: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, HTTP_INTERFACE],
    name: "body",
    function: r#"$http "[method]outgoing-request.body""#,
    signature: "(param i32 i32)",
};

/// Creates the stream that writes a body.
pub const WRITE_BODY: HostCall = HostCall {
    interfaces: &[STREAMS_INTERFACE, HTTP_INTERFACE],
    name: "write-body",
    function: r#"$http "[method]outgoing-body.write""#,
    signature: "(param i32 i32)",
};
