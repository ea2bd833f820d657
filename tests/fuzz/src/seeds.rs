#![expect(clippy::unwrap_used, reason = "the seeds are valid")]

use std::collections::BTreeMap;
use std::time::Duration;

use hype_guest::__internal::{Argument, BoundArguments};
use hype_wire::{
    Access, Artefact, Blob, Bytes, Call, ComponentRef, Digest, End, Failure, FailureKind, File,
    Frame, Function, HYPE_VERSION, Job, Lease, Location, Mount, Outcome, Parameter, Payload, RunId,
    RunManifest, Statistics, TerminationLine, ValueType, codec,
};

use crate::components::record;
use crate::types::{
    Adjacent, Anything, Chain, Envelope, Expression, Flat, Message, Nested, Order, Shape,
};

fn order() -> Order {
    Order {
        item: "bread".into(),
        count: 300,
        price: 3.5,
        tags: vec!["brown".into(), String::new()],
        note: Some("Körner".into()),
        extra: BTreeMap::from([("weight".into(), -750), ("age".into(), 1)]),
    }
}

fn shapes() -> Vec<Shape> {
    let polygon = Shape::Polygon { corners: vec![(-1, 1), (300, -300)], name: Some('ü') };
    vec![Shape::Point, Shape::Circle(0.5), Shape::Line(1.0, f32::NAN), polygon]
}

fn nested(depth: usize) -> Nested {
    (0..depth).fold(Nested(Vec::new()), |inner, _| Nested(vec![inner, Nested(Vec::new())]))
}

fn expression() -> Expression {
    let number = |number| Box::new(Expression::Number(number));
    let both = Expression::Both(number(1), Box::new(Expression::Nothing));
    let value = Box::new(Expression::Not(Box::new(both)));
    Expression::Let { name: "x".into(), value }
}

fn chain() -> Chain {
    (0..5).fold(Chain { link: 0, next: None }, |next, link| Chain {
        link,
        next: Some(Box::new(next)),
    })
}

fn anything() -> Anything {
    Anything::Map(BTreeMap::from([
        ("a".into(), Anything::List(vec![Anything::Small(1), Anything::Text("b".into())])),
        ("c".into(), Anything::Fraction(0.25)),
        ("d".into(), Anything::Number(-70_000)),
        ("e".into(), Anything::List(vec![Anything::Truth(true), Anything::Nothing(())])),
    ]))
}

fn envelope() -> Envelope {
    Envelope { id: 7, rest: BTreeMap::from([("more".into(), anything())]) }
}

fn messages() -> [Message; 3] {
    let image = Message::Image { pixels: vec![0, 200], icon: Bytes(vec![1, 2, 3]) };
    [Message::Ping, Message::Text { text: "hi".into() }, image]
}

fn finish(arguments: BoundArguments) -> Vec<u8> {
    arguments.finish().unwrap_or_else(|error| panic!("a seed cannot be written: {error}"))
}

pub(crate) fn arguments() -> Vec<Vec<u8>> {
    let bound = BoundArguments::new;
    let [_, _, image] = messages();
    [
        bound(1).with("hello".to_owned()),
        bound(1).with(order()),
        bound(1).with(vec![1_u8, 2, 200]),
        bound(2).with(vec![1_u8, 2, 200]).with(Bytes(vec![3])),
        bound(2).with(Some(5_u32)).with(Shape::Circle(1.5)),
        bound(2).with(nested(3)).with(expression()),
        bound(3).with(String::new()).with(None::<u32>).with(vec![order(), Order::default()]),
        bound(4)
            .with(u128::MAX)
            .with(i128::MIN)
            .with((f64::INFINITY, f32::MIN))
            .with(BTreeMap::from([("all".to_owned(), shapes())])),
        bound(5).with(image).with(anything()).with(envelope()).with(chain()).with(()),
    ]
    .map(finish)
    .into()
}

fn value<T: Argument>(value: T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = codec::append_owned(&mut bytes, value);
    written.unwrap_or_else(|error| panic!("a seed cannot be written: {error}"));
    bytes
}

pub(crate) fn results() -> Vec<Vec<u8>> {
    let adjacent =
        vec![Adjacent::Empty, Adjacent::One(Bytes(vec![9])), Adjacent::Two("a".into(), 1)];
    let mut seeds = vec![
        value(()),
        value(true),
        value(-1_i64),
        value(u64::MAX),
        value(u128::MAX),
        value(f64::NAN),
        value(0.5_f32),
        value('ü'),
        value("text ".repeat(60)),
        value(vec![1_u8, 2, 200]),
        value(vec![(), ()]),
        value(vec![1_u64, 1 << 40]),
        value(vec![vec![vec!["a".to_owned()], vec![]]]),
        value((1_u8, -1_i8, 300_u16, -300_i16, 70_000_u32, -70_000_i32)),
        value(Duration::from_millis(1500)),
        value(std::net::IpAddr::from([127, 0, 0, 1])),
        value(1_u32..5),
        value(Err::<u8, String>("no".into())),
        value(vec![order(), Order::default()]),
        value(shapes()),
        value(nested(60)),
        value(expression()),
        value(chain()),
        value(adjacent),
        value(anything()),
        value(envelope()),
        value(Flat { id: 1, order: Some(order()) }),
        value(vec![vec![1_u8, 200], vec![]]),
        value(vec![Some(Bytes(vec![1, 2])), None]),
        value(Some(())),
        value(Some(Some(None::<u8>))),
        value(BTreeMap::from([(None, 1_u128), (Some(None), 2), (Some(Some(true)), u128::MAX)])),
    ];
    seeds.extend(messages().into_iter().map(value));
    seeds
}

fn blob() -> Blob {
    Blob::of(b"blob")
}

fn staged() -> Payload {
    Payload::Staged { name: "runs/run-1/attempts/1/result".into(), blob: blob() }
}

fn bytes_of(object: Result<Vec<u8>, hype_wire::WireError>) -> Vec<u8> {
    object.unwrap_or_else(|error| panic!("a seed cannot be written: {error}"))
}

pub(crate) fn outcomes() -> Vec<Vec<u8>> {
    let location = Location { file: "src/lib.rs".into(), line: 12 };
    let frame = Frame { function: "train::step".into(), location: Some(location.clone()) };
    let failure = Failure {
        causes: vec!["first".into(), "second".into()],
        location: Some(location),
        ..Failure::new(FailureKind::Panic, "no weights").with_backtrace(vec![frame.clone(), frame])
    };
    let statistics =
        Statistics { run_us: 1 << 40, why_compiled: Some("why".into()), ..Statistics::default() };
    let ends = [
        End::Value(Payload::Inline(Bytes(vec![0xa1, b'x']))),
        End::Value(staged()),
        End::Failure(failure),
        End::Failure(Failure::new(FailureKind::Interrupted, "")),
    ];
    let outcomes = ends.map(|end| {
        let mut outcome = Outcome::new(RunId::of_number(1), 2, end, statistics.clone());
        outcome.stdout = Bytes(b"out\n".to_vec());
        bytes_of(outcome.to_bytes())
    });
    outcomes.into()
}

pub(crate) fn leases() -> Vec<Vec<u8>> {
    let term = std::time::Duration::from_secs(60);
    let mut lease = Lease::new(RunId::of_number(1), "greet", "owner-7", term);
    let first = bytes_of(lease.to_bytes());
    lease.renewals = 1 << 40;
    lease.detached = true;
    vec![first, bytes_of(lease.to_bytes())]
}

pub(crate) fn manifests() -> Vec<Vec<u8>> {
    let component = ComponentRef { name: "x.wasm".into(), blob: blob() };
    let inline = Payload::Inline(Bytes(codec::array_head(0)));
    let small = Call::closure("a::b", inline);
    let small = RunManifest::new(RunId::of_number(1), Job::new(component.clone()), small);
    let mut large = Job::new(component);
    large.artefact = Some(Artefact { platform: "x86_64-v3".into(), blob: blob() });
    large.env.insert("LOG".into(), "info".into());
    large.files.push(File { path: "/models/small.bin".parse().unwrap(), blob: blob() });
    for (path, access) in [("/data", Access::ReadOnly), ("/out", Access::ReadWrite)] {
        large.mounts.push(Mount {
            source: "/var/data".into(),
            path: path.parse().unwrap(),
            access,
        });
    }
    large.limits.timeout_ms = Some(60_000);
    large.limits.memory = Some(1 << 30);
    let large = RunManifest::new(RunId::of_number(2), large, Call::closure("a::b", staged()));
    [small, large].map(|manifest| bytes_of(manifest.to_bytes())).into()
}

fn function(name: &str, parameters: &[(&str, &str)]) -> Function {
    Function {
        sdk: HYPE_VERSION.into(),
        package: "wordcount".into(),
        name: name.into(),
        file: "src/lib.rs".into(),
        line: 7,
        docs: "Counts.\n\nWörter.".into(),
        parameters: parameters
            .iter()
            .map(|(name, type_name)| Parameter {
                name: (*name).into(),
                value_type: ValueType::Rust((*type_name).into()),
            })
            .collect(),
        result: ValueType::Rust("Vec<Word>".into()),
    }
}

fn functions() -> Vec<u8> {
    let count = function("count", &[("text", "String"), ("least", "Option<u32>")]);
    [record(&count), record(&function("all", &[]))].concat()
}

pub(crate) fn sections() -> Vec<Vec<u8>> {
    vec![functions(), record(&function("count", &[("text", "String")]))]
}

/// Encodes a section of a component or module: its id, its length and its body.
fn part(id: u8, body: &[u8]) -> Vec<u8> {
    let (low, high) = (body.len() & 0x7f | 0x80, body.len() >> 7);
    assert!(high < 0x80, "a seed is too large");
    [&[id, low as u8, high as u8], body].concat()
}

/// Encodes a named import or export of a component.
fn named(name: &str, rest: &[u8]) -> Vec<u8> {
    [&[1, 0, name.len() as u8], name.as_bytes(), rest].concat()
}

pub(crate) fn components() -> Vec<Vec<u8>> {
    let name = hype_wire::section::SECTION;
    let custom = part(0, &[&[name.len() as u8], name.as_bytes(), &functions()].concat());
    let module = [b"\0asm\x01\0\0\0".as_slice(), &custom].concat();
    let parts = [
        part(10, &named("a:b/c@1.0.0", &[5, 0])),
        part(1, &module),
        part(11, &named("a:b/d", &[5, 0, 0])),
        custom.clone(),
    ];
    let header = b"\0asm\x0d\0\x01\0".as_slice();
    let outer = [header, &parts.concat()].concat();
    let doubled = [header, &part(4, &outer), &parts[0]].concat();
    vec![header.to_vec(), [header, &custom].concat(), outer, doubled]
}

pub(crate) fn names() -> Vec<Vec<u8>> {
    let digest = Digest::of(b"outcome");
    let line = TerminationLine { outcome: "file:///a b/runs/r1/outcome".into(), digest };
    let texts = [
        line.to_string(),
        digest.to_string(),
        "gs://bucket/some/prefix/runs/r-1/manifest".to_owned(),
        "/usr/share/volume".to_owned(),
        "/processes/.../ü".to_owned(),
    ];
    texts.map(String::into_bytes).into()
}

/// Any bytes choose a type and a value of it.
pub(crate) fn wit() -> Vec<Vec<u8>> {
    let bytes =
        |seed: u32| (0..200).map(move |index| (index * (2 * seed + 1) + seed) as u8).collect();
    (0..32).map(bytes).collect()
}
