//! Measures the resources that the host holds for a guest in its table, and charges them to its budget.
//!
//! wasmtime's resources don't report when they are dropped. So each call that makes the host hold more
//! adds an upper bound to the charge. When the budget is exhausted, the table is measured, and the charge
//! is set to the result. The table is also measured at each tick of the guest, which covers the calls that
//! only create a handle.

use std::collections::HashSet;

use http::{HeaderMap, HeaderValue};
use wasmtime::ResourceLimiter;
use wasmtime_wasi::WasiView;
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::p2::bindings::http::types::{Method, Scheme};
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{
    HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse,
};

use crate::budget::OverBudget;
use crate::execution::Guest;

/// The bytes of a small resource in the table, such as a stream, a timer or an error.
const ENTRY: u64 = 512;

/// The bytes of the channels between an outgoing body and its request.
const BODY: u64 = 4 << 10;

/// The bytes of a slot of a map of HTTP fields, and of the records of one of its names or values.
const FIELD_SLOT: u64 = 128;
const FIELD_TEXT: u64 = 64;

impl Guest {
    /// Charges `bytes` that the host now holds in the guest's table.
    ///
    /// # Errors
    ///
    /// Returns an error if the guest's budget is still exhausted after measuring the table.
    pub(crate) fn hold(&mut self, bytes: u64) -> Result<(), OverBudget> {
        if self.held.grow(bytes).is_err() {
            // The table already contains the new bytes.
            self.measure_held()?;
        }
        Ok(())
    }

    /// Sets the charge of the table to its measured size.
    ///
    /// # Errors
    ///
    /// Returns an error if that exceeds the guest's budget.
    pub(crate) fn measure_held(&mut self) -> Result<(), OverBudget> {
        let mut maps = HashSet::new();
        let table = self.ctx().table;
        let bytes = table.iter_mut().map(|entry| ENTRY + held_beyond_entry(entry, &mut maps)).sum();
        self.held.resize(bytes)
    }
}

/// Returns the bytes of a resource beyond [`ENTRY`]. Counts each map of fields once: clones share it.
fn held_beyond_entry(
    entry: &mut (dyn std::any::Any + Send),
    maps: &mut HashSet<*const HeaderMap>,
) -> u64 {
    let mut fields = |fields: &HeaderMap| match maps.insert(std::ptr::from_ref(fields)) {
        true => fields_size(fields),
        false => 0,
    };
    if let Some(map) = entry.downcast_ref::<FieldMap>() {
        fields(map)
    } else if let Some(request) = entry.downcast_ref::<HostOutgoingRequest>() {
        fields(&request.headers) + BODY + request_texts_size(request)
    } else if let Some(response) = entry.downcast_ref::<HostOutgoingResponse>() {
        fields(&response.headers) + BODY
    } else if let Some(response) = entry.downcast_ref::<HostIncomingResponse>() {
        fields(&response.headers) + BODY
    } else if let Some(trailers) = entry.downcast_ref::<HostFutureTrailers>() {
        match trailers {
            HostFutureTrailers::Done(Ok(Some(map))) => fields(map),
            _ => BODY,
        }
    } else if entry.is::<HostOutgoingBody>() {
        BODY
    } else {
        0
    }
}

/// Returns the bytes of a map of HTTP fields.
pub(crate) fn fields_size(map: &HeaderMap) -> u64 {
    let names = map.keys().map(|name| name.as_str().len());
    let values = map.values().map(HeaderValue::len);
    slots_size(map.capacity()) + texts_size(names.chain(values))
}

/// Returns the bytes of `slots` slots of a map of HTTP fields.
pub(crate) fn slots_size(slots: usize) -> u64 {
    slots as u64 * FIELD_SLOT
}

/// Returns the bytes of names and values of HTTP fields with these lengths.
pub(crate) fn texts_size(lengths: impl Iterator<Item = usize>) -> u64 {
    lengths.map(|length| length as u64 + FIELD_TEXT).sum()
}

/// Returns the bytes of the texts of a request besides its fields.
fn request_texts_size(request: &HostOutgoingRequest) -> u64 {
    let HostOutgoingRequest { method, scheme, authority, path_with_query, .. } = request;
    let method = match method {
        Method::Other(method) => method.len(),
        _ => 0,
    };
    let scheme = match scheme {
        Some(Scheme::Other(scheme)) => scheme.len(),
        _ => 0,
    };
    let others = [authority, path_with_query].into_iter().flatten().map(String::len);
    (method + scheme + others.sum::<usize>()) as u64
}

/// Growth that doesn't fit is retried after measuring the table, whose charge is an upper bound.
impl ResourceLimiter for Guest {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if !self.limiter.fits_memory(current, desired) {
            self.measure_held()?;
        }
        self.limiter.memory_growing(current, desired, maximum)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.limiter.memory_grow_failed(error)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if !self.limiter.fits_table(current, desired) {
            self.measure_held()?;
        }
        self.limiter.table_growing(current, desired, maximum)
    }

    fn instances(&self) -> usize {
        self.limiter.instances()
    }

    fn tables(&self) -> usize {
        self.limiter.tables()
    }

    fn memories(&self) -> usize {
        self.limiter.memories()
    }
}
