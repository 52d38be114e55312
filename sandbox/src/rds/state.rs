//! The endpoint's state, behind one lock: gateway, service, faults, settings and the log of calls.

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::actions;
use super::answer::{Answer, Format};
use super::auth::{self, Key};
use super::catalogue::Catalogue;
use super::clock::Now;
use super::cloud::Cloud;
use super::error::ApiError;
use super::faults::Faults;
use super::gateway::{Gateway, throttling_status};
use super::ledger::{CallRecord, NOT_EXECUTED, OK};
use super::request::RawRequest;
use super::settings::Settings;
use super::wire;

/// How far a request gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// It is executed.
    Service,
    /// The gateway verifies it, and then it meets this error.
    Gateway(ApiError),
    /// As [`Reach::Gateway`], with the error of throttling.
    Throttled(Option<u64>),
    /// It does not arrive.
    Nowhere,
}

/// Everything that can change.
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) faults: Faults,
    pub(super) gateway: Gateway,
    pub(super) cloud: Cloud,
    calls: Vec<CallRecord>,
    request_ids: StdRng,
}

/// The result of a request.
pub(super) struct Handled {
    pub(super) answer: Answer,
    pub(super) outcome: String,
}

impl State {
    pub(super) fn new(keys: Vec<Key>, catalogue: Catalogue, settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            faults: Faults::default(),
            gateway: Gateway::new(keys),
            cloud: Cloud::new(catalogue, seed),
            calls: Vec::new(),
            request_ids: StdRng::seed_from_u64(seed ^ 0x005e_ed0f_1d5a_b0c5),
        }
    }

    /// Lets the request get so far. What is answered may still be replaced or lost on the way back.
    pub(super) fn handle(&mut self, request: &RawRequest, reach: &Reach, now: Now) -> Handled {
        let Self { settings, faults, gateway, cloud, .. } = self;
        let format = Format::of(request, &settings.quirks);
        let result = match reach {
            Reach::Nowhere => None,
            Reach::Service => {
                Some(gateway.admit(request, settings, now).and_then(|call| actions::perform(&call, cloud, faults, settings, now)))
            }
            Reach::Gateway(error) => Some(gateway.admit(request, settings, now).and(Err(error.clone()))),
            Reach::Throttled(retry_after_ms) => {
                let error = ApiError::throttled(throttling_status(settings), *retry_after_ms);
                Some(gateway.admit(request, settings, now).and(Err(error)))
            }
        };
        let request_id = self.request_id();
        let (mut answer, outcome) = match result {
            None => (Answer::html(502, "<html><body><h1>502 Bad Gateway</h1></body></html>"), NOT_EXECUTED.to_owned()),
            Some(Ok(document)) => (wire::success(document, &request_id, format, &request.action()), OK.to_owned()),
            Some(Err(error)) => {
                let status = self.settings.quirks.statuses.get(&error.code).copied().unwrap_or(error.status);
                let error = ApiError { status, ..error };
                (wire::failure(&error, &request_id, format), error.code)
            }
        };
        answer.headers.push(("x-acs-request-id", request_id));
        Handled { answer, outcome }
    }

    /// As the service writes them: a UUID in upper case.
    fn request_id(&mut self) -> String {
        let (high, low) = (self.request_ids.next_u64(), self.request_ids.next_u64());
        format!(
            "{:08X}-{:04X}-4{:03X}-{:04X}-{:012X}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            0x8000 | low >> 48 & 0x3fff,
            low & 0xffff_ffff_ffff
        )
    }

    /// Records the call and returns its place in the log.
    pub(super) fn record(
        &mut self,
        request: &RawRequest,
        outcome: String,
        status: Option<u16>,
        fault: Option<&str>,
        time: Timestamp,
    ) -> usize {
        let place = self.calls.len();
        self.calls.push(CallRecord {
            number: place as u64 + 1,
            time,
            action: request.action(),
            access_key_id: auth::claimed_key(request),
            instance: request.instance(),
            parameters: request.parameters(),
            signature: request.signature_version(),
            answer: Format::of(request, &self.settings.quirks),
            nonce: request.nonce(),
            outcome,
            status,
            delivered: status.is_some(),
            fault: fault.map(str::to_owned),
        });
        place
    }

    /// The client had gone before its answer.
    pub(super) fn undelivered(&mut self, place: usize) {
        if let Some(call) = self.calls.get_mut(place) {
            call.delivered = false;
        }
    }

    pub(super) fn calls(&self) -> &[CallRecord] {
        &self.calls
    }
}
