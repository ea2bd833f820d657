//! URLs of servers' APIs: no raw string becomes a part of one.

use crate::workspace::{File, assert_none, files};

/// The runners that send requests to a server.
const RUNNERS: [&str; 2] = ["host/src/native/runner/kubernetes/", "host/src/native/runner/docker/"];

/// The only files that build URLs, each from parts that it has checked.
const BUILDERS: [&str; 3] = ["kubernetes/cluster.rs", "gke/cluster_name.rs", "gke/endpoints.rs"];

/// Code that builds the URL of a resource from a namespace or a path.
const CONSTRUCTORS: [&str; 6] = [
    "Api::namespaced",
    "Api::all",
    "Api::default_namespaced",
    "Request::builder",
    "Request::get",
    "Request::delete",
];

/// The beginnings of API paths and of servers' addresses.
const PREFIXES: [&str; 8] =
    ["/api", "/v1", "/containers", "/volumes", "/images", "/namespaces", "http://", "https://"];

#[test]
fn runners_format_no_raw_string_into_a_url() {
    let is_checked = |file: &&File| {
        RUNNERS.iter().any(|runner| file.path.starts_with(runner))
            && !BUILDERS.iter().any(|builder| file.path.ends_with(builder))
            && !file.is_test()
            && !file.path.ends_with("tests.rs")
            && !file.path.contains("fake_")
            && !file.path.contains("scenarios")
    };
    let all = files(&["rs"]);
    let checked: Vec<_> = all.iter().filter(is_checked).collect();
    assert!(checked.len() > 30, "the runners have moved: update RUNNERS");
    let mut problems = Vec::new();
    for file in checked {
        let text = file.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (number, line) in (1..).zip(text.lines()) {
            if builds_url(line) {
                problems.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    assert_none(
        &problems,
        "take a parsed type, such as Namespace, and build the URL in a file of BUILDERS",
    );
}

/// Returns whether the line constructs a resource's URL, or formats a value into an API's path.
fn builds_url(line: &str) -> bool {
    if line.trim_start().starts_with("//") {
        return false;
    }
    let has_placeholder = |text: &str| text.contains('{') && !text.starts_with('{');
    let literals = line.split('"').skip(1).step_by(2);
    let formats_path = || {
        let mut paths = literals.filter(|text| PREFIXES.iter().any(|it| text.starts_with(it)));
        paths.any(has_placeholder)
    };
    CONSTRUCTORS.iter().any(|it| line.contains(it)) || formats_path()
}

#[test]
fn url_check_finds_raw_strings() {
    for line in [
        r#"let pods: Api<Pod> = Api::namespaced(client, &namespace);"#,
        r#"let path = format!("/api/v1/namespaces/{namespace}/pods");"#,
        r#"let path = format!("/containers/{}/json", name);"#,
        r#"let url = format!("http://{host}/v1");"#,
        r#"http::Request::builder().uri(path)"#,
    ] {
        assert!(builds_url(line), "{line}");
    }
    for line in [
        r#"// format!("/api/{x}")"#,
        r#"docker.remove_container(id, None)"#,
        r#"format!("{path}/{KEY_FILE}")"#,
        r#"const CLOUD: &str = "https://cloud.google.com";"#,
    ] {
        assert!(!builds_url(line), "{line}");
    }
}
