//! Segments and chunks of staged maps: formats, and limits on untrusted input.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hype_wire::{
    Access, Blob, Bytes, Digest, Failure, FailureKind, FunctionRef, ItemEnd, ItemPayload,
    ItemResult, ItemTimes, MapChunk, MapContainers, MapFunction, MapHead, MapId, MapItem,
    MapSegment, MapVolume, Mount, PlannedItem, Statistics, codec,
};

/// A change that makes an object invalid, and the problem that its error names.
type Break<T> = (fn(&mut T), &'static str);

fn map_id() -> MapId {
    "hype-run-7f3k".parse().unwrap()
}

fn item(function: u32, arguments: ItemPayload) -> PlannedItem {
    PlannedItem::Call(MapItem { function, arguments, seed: Some(7) })
}

fn inline(size: usize) -> ItemPayload {
    ItemPayload::of(vec![7; size]).unwrap()
}

fn containers() -> MapContainers {
    MapContainers {
        image: "spotify/hype:1.2.3".into(),
        requests: [("memory".to_owned(), "1Gi".to_owned())].into(),
        directories: vec![Mount {
            source: "/srv/data".into(),
            path: "/data".parse().unwrap(),
            access: Access::ReadWrite,
        }],
        volumes: vec![MapVolume {
            name: "scores".into(),
            storage_class: "standard".into(),
            size: "10Gi".into(),
            path: "/scores".into(),
            access: Access::ReadOnly,
        }],
        secrets: [("/etc/gcloud".to_owned(), "gcp-key".to_owned())].into(),
    }
}

/// Returns a segment with an item of each kind.
fn segment() -> MapSegment {
    let mut segment = MapSegment::new(map_id(), 0, 0);
    segment.head = Some(MapHead {
        manifest: Digest::of(b"manifest"),
        retries: 1,
        error_retries: 2,
        max_memory: Some(1 << 30),
        started_unix_us: 1_800_000_000_000_000,
        containers: Some(containers()),
    });
    let reference = FunctionRef::Closure("shop::price".into());
    segment.functions.push(MapFunction { name: "price".into(), reference, has_wit_types: false });
    let large = ItemPayload::Staged(Blob::of(b"large"));
    segment.items =
        vec![item(0, inline(3)), item(0, large), PlannedItem::Rejected("no UTF-8".into())];
    segment.chunks = vec![2, 1];
    segment.end = Some(3);
    segment
}

fn chunk() -> MapChunk {
    let failure = Failure::new(FailureKind::Panic, "no");
    let mut chunk = MapChunk::new(map_id(), 3, 1, Digest::of(b"segment"));
    (chunk.nonce, chunk.program) = (5, 7);
    chunk.results = [
        ItemEnd::Value(inline(3)),
        ItemEnd::Value(ItemPayload::Staged(Blob::of(b"large"))),
        ItemEnd::Failure(failure),
        ItemEnd::Lost("the worker ended".into()),
        ItemEnd::Rejected("no UTF-8".into()),
    ]
    .map(|end| ItemResult::new(end, 2))
    .to_vec();
    chunk.results[0].statistics = Statistics { run_us: 9, ..Statistics::default() };
    chunk.results[0].times =
        ItemTimes { worker: Some(1), queued_us: 1 << 40, waited_us: 30, took_us: 400 };
    chunk.results[0].stdout = Bytes(b"line\n".to_vec());
    chunk
}

#[test]
fn segment_and_chunk_decode_to_equal_values() {
    assert_eq!(MapSegment::from_bytes(&segment().to_bytes().unwrap()).unwrap(), segment());
    assert_eq!(segment().next(), 3);
    assert_eq!(MapChunk::from_bytes(&chunk().to_bytes().unwrap()).unwrap(), chunk());
    let mut empty = MapSegment::new(map_id(), 4, 9);
    (empty.previous, empty.end) = (Some(Digest::of(b"segment 3")), Some(9));
    assert_eq!(MapSegment::from_bytes(&empty.to_bytes().unwrap()).unwrap(), empty);
}

#[test]
fn newer_segment_and_chunk_name_the_upgrade() {
    let mut newer = segment();
    (newer.format, newer.hype) = (9, "7.1.0".into());
    let error = MapSegment::from_bytes(&newer.to_bytes().unwrap()).unwrap_err().to_string();
    assert!(error.contains("the segment of a map is in format 9"), "{error}");
    assert!(error.contains("use hype 7.1.0 or later"), "{error}");
    let mut newer = chunk();
    (newer.format, newer.hype) = (9, "7.1.0".into());
    let error = MapChunk::from_bytes(&newer.to_bytes().unwrap()).unwrap_err().to_string();
    assert!(error.contains("build this program with hype 7.1.0 or later"), "{error}");
}

#[test]
fn inconsistent_segment_is_rejected_on_both_sides() {
    let changes: [Break<MapSegment>; 9] = [
        (|it| it.chunks = vec![3, 1], "its chunks don't fit"),
        (|it| it.chunks = vec![3, 0], "its chunks don't fit"),
        (|it| it.end = Some(4), "its end is not that"),
        (|it| it.items[0] = item(1, inline(1)), "a function that it doesn't list"),
        (|it| it.number = 1, "only segment 0"),
        (|it| it.head = None, "only segment 0"),
        (|it| it.previous = Some(Digest::of(b"")), "only segment 0"),
        (|it| (it.first, it.end) = (u64::MAX, None), "its end is not that"),
        (
            |it| {
                it.items = vec![it.items[0].clone(); 4097];
                (it.chunks, it.end) = ([vec![64; 64], vec![1]].concat(), None);
            },
            "too many items",
        ),
    ];
    for (change, problem) in changes {
        let mut segment = segment();
        change(&mut segment);
        let written = segment.to_bytes().unwrap_err().to_string();
        assert!(written.contains(problem), "{written}");
        let read = MapSegment::from_bytes(&codec::to_vec(&segment).unwrap()).unwrap_err();
        assert_eq!(read.to_string(), written);
    }
    let mut segment = segment();
    segment.items = vec![segment.items[0].clone(); 65];
    (segment.chunks, segment.end) = (vec![65], None);
    assert!(segment.to_bytes().unwrap_err().to_string().contains("its chunks don't fit"));
}

#[test]
fn oversized_chunk_is_rejected_on_both_sides() {
    let changes: [Break<MapChunk>; 3] = [
        (|it| it.results = vec![it.results[0].clone(); 65], "too many items"),
        (|it| it.results[0].stderr = Bytes(vec![0; (64 << 10) + 1]), "too much output"),
        (
            |it| {
                let value = ItemPayload::Inline(Bytes(vec![0; ItemPayload::INLINE_LIMIT + 1]));
                it.results[0].end = ItemEnd::Value(value);
            },
            "too large a value",
        ),
    ];
    for (change, problem) in changes {
        let mut chunk = chunk();
        change(&mut chunk);
        let written = chunk.to_bytes().unwrap_err().to_string();
        assert!(written.contains(problem), "{written}");
        let read = MapChunk::from_bytes(&codec::to_vec(&chunk).unwrap()).unwrap_err();
        assert_eq!(read.to_string(), written);
    }
}

#[test]
fn largest_segment_and_chunk_fit_their_maximum_sizes() {
    let mut largest = segment();
    // A writer begins another segment before the last item.
    let items = MapSegment::SEGMENT_BYTES / ItemPayload::INLINE_LIMIT;
    largest.items = vec![item(0, inline(ItemPayload::INLINE_LIMIT)); items];
    let small = vec![item(0, inline(32)); MapSegment::MAX_ITEMS - items];
    largest.items.extend(small);
    (largest.chunks, largest.end) = (vec![64; 64], None);
    largest.to_bytes().unwrap();

    let text = || "ü".repeat(10_000);
    let failure =
        Failure { causes: vec![text(); 100], ..Failure::new(FailureKind::Function, text()) };
    let mut result = ItemResult::new(ItemEnd::Failure(failure), 1);
    result.stdout = Bytes(vec![0; ItemResult::MAX_OUTPUT]);
    result.stderr = Bytes(vec![0; ItemResult::MAX_OUTPUT]);
    let mut chunk = chunk();
    chunk.results = vec![result; MapSegment::MAX_CHUNK_ITEMS];
    chunk.to_bytes().unwrap();
}

#[test]
fn decoding_truncates_long_failures_of_items() {
    let mut chunk = chunk();
    let long = Failure::new(FailureKind::Function, "x".repeat(100_000));
    chunk.results[0].end = ItemEnd::Failure(long);
    chunk.results[1].end = ItemEnd::Lost("x".repeat(100_000));
    let read = MapChunk::from_bytes(&codec::to_vec(&chunk).unwrap()).unwrap();
    for result in &read.results[..2] {
        let (ItemEnd::Failure(Failure { message, .. }) | ItemEnd::Lost(message)) = &result.end
        else {
            panic!("no failure")
        };
        assert!((16_000..=16 << 10).contains(&message.len()));
    }
}
