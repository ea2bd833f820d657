//! The calls of `wasi:http` that send a request and receive its response. A denied request stops the guest
//! here, since its HTTP client would report the denial as an unreachable host.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::Host;
use wasmtime_wasi_http::p2::bindings::http::types::HostFutureIncomingResponse;
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse as FutureResponse, HostOutgoingRequest as Outgoing,
};
use wasmtime_wasi_http::{RequestOptions, WasiHttpView};

use super::exchange::MAX_HEAD;
use super::held;
use crate::execution::Guest;

/// Links all of `wasi:http`.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    type HandleArguments = (Resource<Outgoing>, Option<Resource<RequestOptions>>);
    let mut handler = linker.instance("wasi:http/outgoing-handler@0.2.12")?;
    handler.func_wrap(
        "handle",
        |mut store: StoreContextMut<'_, Guest>, (request, options): HandleArguments| {
            let guest = store.data_mut();
            let response = guest.http().handle(request, options);
            guest.check_denied()?;
            match response {
                Ok(response) => Ok((Ok(response),)),
                Err(error) => error.downcast().map(|code| (Err(code),)),
            }
        },
    )?;
    let mut types = linker.instance("wasi:http/types@0.2.12")?;
    held::link(&mut types)?;
    types.func_wrap(
        "[method]future-incoming-response.get",
        |mut store: StoreContextMut<'_, Guest>, (response,): (Resource<FutureResponse>,)| {
            let guest = store.data_mut();
            let response = HostFutureIncomingResponse::get(&mut guest.http(), response)?;
            guest.check_denied()?;
            if let Some(Ok(Ok(_))) = &response {
                guest.hold(MAX_HEAD as u64)?;
            }
            Ok((response,))
        },
    )
}

impl Guest {
    /// Returns an error that stops the guest if one of its requests was denied.
    fn check_denied(&self) -> wasmtime::Result<()> {
        match self.sandbox.requests.denied() {
            Some(denied) => Err(denied.into()),
            None => Ok(()),
        }
    }
}
