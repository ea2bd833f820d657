//! The calls of `wasi:http` that make the host hold something for a guest, charged to the guest's budget.
//!
//! A guest can create requests and their fields without sending them. Creating the body of a request needs
//! the grant that sending the request needs, and is denied in the same way.

use bytes::Bytes;
use http::HeaderMap;
use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, Resource};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi_http::p2::bindings::http::types::{
    ErrorCode, HeaderError, HostFields, HostOutgoingBody as _, HostOutgoingRequest as _, Method,
};
use wasmtime_wasi_http::p2::body::HostOutgoingBody as OutgoingBody;
use wasmtime_wasi_http::p2::types::HostOutgoingRequest as Outgoing;
use wasmtime_wasi_http::p2::{HeaderResult, HttpResult};
use wasmtime_wasi_http::{FieldMap, WasiHttpView};

use crate::budget::Budget;
use crate::execution::Guest;
use crate::held::{fields_size, slots_size, texts_size};

/// The maximum length of a request's method, in bytes.
const MAX_METHOD: usize = 64;

/// Replaces the calls of wasmtime in `types` that allocate memory on the host.
pub(super) fn link(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    link_fields(types)?;
    link_requests(types)?;
    link_bodies(types)
}

fn link_fields(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[static]fields.from-list",
        |mut store: StoreContextMut<'_, Guest>, (entries,): (Vec<(String, Vec<u8>)>,)| {
            let guest = store.data_mut();
            let created = to_header_result(guest.http().from_list(entries))?;
            if let Ok(fields) = &created {
                let size = fields_size(guest.table.get(fields)?);
                guest.hold(size)?;
            }
            Ok((created,))
        },
    )?;
    types.func_wrap(
        "[method]fields.set",
        |mut store: StoreContextMut<'_, Guest>,
         (fields, name, values): (Resource<FieldMap>, String, Vec<Vec<u8>>)| {
            let guest = store.data_mut();
            let change = guest.begin_change(&fields)?;
            let added = texts_size([name.len()].into_iter().chain(values.iter().map(Vec::len)));
            let set = to_header_result(guest.http().set(fields, name, values))?;
            guest.end_change(change, added)?;
            Ok((set,))
        },
    )?;
    types.func_wrap(
        "[method]fields.append",
        |mut store: StoreContextMut<'_, Guest>,
         (fields, name, value): (Resource<FieldMap>, String, Vec<u8>)| {
            let guest = store.data_mut();
            let change = guest.begin_change(&fields)?;
            let added = texts_size([name.len(), value.len()].into_iter());
            let appended = to_header_result(guest.http().append(fields, name, value))?;
            guest.end_change(change, added)?;
            Ok((appended,))
        },
    )?;
    types.func_wrap(
        "[method]fields.delete",
        |mut store: StoreContextMut<'_, Guest>, (fields, name): (Resource<FieldMap>, String)| {
            let guest = store.data_mut();
            let change = guest.begin_change(&fields)?;
            let deleted = to_header_result(guest.http().delete(fields, name))?;
            guest.end_change(change, 0)?;
            Ok((deleted,))
        },
    )
}

/// The state of a map of fields before a change.
struct Change {
    fields: Resource<FieldMap>,
    map: *const HeaderMap,
    capacity: usize,
}

fn link_requests(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[method]outgoing-request.set-method",
        |mut store: StoreContextMut<'_, Guest>, (request, method): (Resource<Outgoing>, Method)| {
            if matches!(&method, Method::Other(other) if other.len() > MAX_METHOD) {
                return Ok((Err(()),));
            }
            Ok((store.data_mut().http().set_method(request, method)?,))
        },
    )?;
    type Text = Option<String>;
    types.func_wrap(
        "[method]outgoing-request.set-path-with-query",
        |mut store: StoreContextMut<'_, Guest>, (request, path): (Resource<Outgoing>, Text)| {
            let guest = store.data_mut();
            let length = path.as_ref().map_or(0, String::len);
            let set = guest.http().set_path_with_query(request, path)?;
            guest.hold(length as u64)?;
            Ok((set,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store: StoreContextMut<'_, Guest>,
         (request, authority): (Resource<Outgoing>, Text)| {
            let guest = store.data_mut();
            let length = authority.as_ref().map_or(0, String::len);
            let set = guest.http().set_authority(request, authority)?;
            guest.hold(length as u64)?;
            Ok((set,))
        },
    )
}

fn link_bodies(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    types.func_wrap(
        "[method]outgoing-request.body",
        |mut store: StoreContextMut<'_, Guest>, (request,): (Resource<Outgoing>,)| {
            let guest = store.data_mut();
            let unsent = guest.table.get(&request)?;
            if let Some(denied) = guest.sandbox.requests.without_grant(unsent) {
                return Err(denied.into());
            }
            Ok((guest.http().body(request)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-body.write",
        |mut store: StoreContextMut<'_, Guest>, (body,): (Resource<OutgoingBody>,)| {
            let guest = store.data_mut();
            let stream = guest.http().write(body)?;
            if let Ok(stream) = &stream {
                let budget = guest.budget.clone();
                let stream = guest.ctx().table.get_mut(stream)?;
                let inner = std::mem::replace(stream, Box::new(ClosedStream));
                *stream = Box::new(ChargedStream { inner, budget });
            }
            Ok((stream,))
        },
    )?;
    type FinishArguments = (Resource<OutgoingBody>, Option<Resource<FieldMap>>);
    types.func_wrap(
        "[static]outgoing-body.finish",
        |mut store: StoreContextMut<'_, Guest>, (body, trailers): FinishArguments| {
            let guest = store.data_mut();
            if let Some(trailers) = &trailers {
                // The unsent body holds the trailers, where they cannot be measured.
                let size = fields_size(guest.ctx().table.get(trailers)?);
                guest.budget.add(size)?;
            }
            Ok((to_http_result(guest.http().finish(body, trailers))?,))
        },
    )
}

/// Converts the result of a call. An error that isn't a `HeaderError` stops the guest.
fn to_header_result<T>(result: HeaderResult<T>) -> wasmtime::Result<Result<T, HeaderError>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => error.downcast().map(Err),
    }
}

/// Converts the result of a call. An error that isn't an `ErrorCode` stops the guest.
fn to_http_result<T>(result: HttpResult<T>) -> wasmtime::Result<Result<T, ErrorCode>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => error.downcast().map(Err),
    }
}

impl Guest {
    fn begin_change(&self, fields: &Resource<FieldMap>) -> wasmtime::Result<Change> {
        let map: &HeaderMap = self.table.get(fields)?;
        let (fields, capacity) = (Resource::new_borrow(fields.rep()), map.capacity());
        Ok(Change { fields, map: std::ptr::from_ref(map), capacity })
    }

    /// Charges a map of fields after a change that added `added` bytes. Clones share a map until one of them
    /// is changed, which then gets a separate map.
    fn end_change(&mut self, change: Change, added: u64) -> wasmtime::Result<()> {
        let map: &HeaderMap = self.table.get(&change.fields)?;
        let more = match std::ptr::from_ref(map) == change.map {
            true => added + slots_size(map.capacity().saturating_sub(change.capacity)),
            false => fields_size(map),
        };
        Ok(self.hold(more)?)
    }
}

/// Charges the bytes of a body from the write until they are sent.
struct ChargedStream {
    inner: DynOutputStream,
    budget: Budget,
}

#[wasmtime_wasi::async_trait]
impl OutputStream for ChargedStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let bytes =
            self.budget.charge_bytes(bytes).map_err(|error| StreamError::Trap(error.into()))?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for ChargedStream {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

/// A placeholder for a stream while that stream is moved.
struct ClosedStream;

impl OutputStream for ClosedStream {
    fn write(&mut self, _: Bytes) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Err(StreamError::Closed)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for ClosedStream {
    async fn ready(&mut self) {}
}
