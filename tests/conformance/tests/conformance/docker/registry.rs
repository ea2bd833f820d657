//! Images that the daemon must pull first, from a registry that the test starts.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use hype::RunEnvironment;
use test_guests::values::greet;

use super::image::Image;
use super::{docker_output, submitter, wait};

/// Debian's `docker-registry`, on a port of this machine.
struct Registry {
    child: Child,
    address: String,
    _directory: tempfile::TempDir,
}

impl Registry {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let configuration = directory.path().join("registry.yml");
        let images = directory.path().join("images");
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: '127.0.0.1:0'}}\n",
            images.display()
        );
        std::fs::write(&configuration, text).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&configuration)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry, which tests/end-to-end/docker fetches");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.find_map(|line| {
            let (_, rest) = line.split_once("listening on ")?;
            rest.split('"').next().map(str::to_owned)
        });
        // Drains the pipe, so that the registry never blocks.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: address.expect("it listens"), _directory: directory }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn missing_image_is_pulled() {
    let registry = Registry::start();
    let image = Image::named(&format!("{}/hype-test/pulled:1", registry.address));
    docker_output(&["tag", &std::env::var("HYPE_IMAGE").unwrap(), &image.0]);
    docker_output(&["push", &image.0]);
    docker_output(&["rmi", &image.0]);
    let is_here = || docker_output(&["images", "--quiet", &image.0]);
    assert_eq!(is_here(), "");

    let (_stage, submitter) = submitter(|runner| runner);
    let env = RunEnvironment::new().with_image(&image.0);
    assert_eq!(wait(submitter.submit(greet("you".into()), &env)).unwrap(), "hello you");
    assert_ne!(is_here(), "");
    wait(submitter.close()).unwrap();
}
