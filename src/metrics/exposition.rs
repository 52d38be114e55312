//! The two text formats, and how a collector writes into either.

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeLabel, EncodeLabelSet, EncodeMetric, LabelSetEncoder, MetricEncoder, prometheus_text, text},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use super::description::{Description, Kind};

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' own, version 0.0.4.
    Classic,
}

impl Format {
    /// The one that suits an `Accept` header best. OpenMetrics is for scrapers that name it: anything else, browsers and curl among them,
    /// gets the format that everything reads.
    pub fn of_accept(accept: Option<&str>) -> Self {
        let (mut open, mut classic, mut any) = (None, None, None);
        for part in accept.unwrap_or_default().split(',') {
            let mut pieces = part.split(';').map(str::trim);
            let media = pieces.next().unwrap_or_default().to_ascii_lowercase();
            let (mut quality, mut version) = (1.0, None);
            for piece in pieces {
                let Some((name, value)) = piece.split_once('=') else { continue };
                match name.trim().to_ascii_lowercase().as_str() {
                    // What is no number is as good as any.
                    "q" => quality = value.trim().parse().ok().filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(1.0),
                    "version" => version = Some(value.trim().trim_matches('"').to_owned()),
                    _ => {}
                }
            }
            let best = |known: Option<f64>| Some(known.map_or(quality, |known| known.max(quality)));
            match media.as_str() {
                "application/openmetrics-text" if version.as_deref().is_none_or(|version| matches!(version, "1.0.0" | "0.0.1")) => {
                    open = best(open);
                }
                "text/plain" => classic = best(classic),
                "text/*" | "*/*" => any = best(any),
                _ => {}
            }
        }
        match open {
            Some(open) if open > 0.0 && open >= classic.or(any).unwrap_or(0.0) => Self::OpenMetrics,
            _ => Self::Classic,
        }
    }

    /// Its `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => prometheus_text::CONTENT_TYPE,
        }
    }

    pub(super) fn encode(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut out = String::new();
        match self {
            Self::OpenMetrics => text::encode(&mut out, registry)?,
            Self::Classic => prometheus_text::encode(&mut out, registry)?,
        }
        Ok(out)
    }
}

/// Where collectors write to. A metric without a series is left out whole.
pub(super) struct Exposition<'a>(pub DescriptorEncoder<'a>);

impl Exposition<'_> {
    /// A metric that was counted as it happened, with all its series.
    pub fn counted(&mut self, description: &Description, metric: &impl EncodeMetric) -> fmt::Result {
        if metric.is_empty() {
            return Ok(());
        }
        let unit = description.client_unit();
        metric.encode(self.0.encode_descriptor(description.stem(), description.help, unit.as_ref(), description.kind.to_client())?)
    }

    /// A metric with a label for which somebody else counts.
    pub fn counted_by<'m, M: EncodeMetric + 'm>(
        &mut self,
        description: &Description,
        series: impl IntoIterator<Item = (&'static str, &'m M)>,
    ) -> fmt::Result {
        let unit = description.client_unit();
        let mut family = self.0.encode_descriptor(description.stem(), description.help, unit.as_ref(), description.kind.to_client())?;
        for (value, metric) in series {
            let labels = Labels { names: description.labels, values: &[value] };
            metric.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// A metric that is computed now, with the values of its labels in the order of their names. A label that is empty is left out.
    pub fn computed<'v, const N: usize>(
        &mut self,
        description: &Description,
        series: impl IntoIterator<Item = ([&'v str; N], f64)>,
    ) -> fmt::Result {
        let mut series = series.into_iter().peekable();
        if series.peek().is_none() {
            return Ok(());
        }
        let unit = description.client_unit();
        let mut family = self.0.encode_descriptor(description.stem(), description.help, unit.as_ref(), description.kind.to_client())?;
        for (values, value) in series {
            let labels = Labels { names: description.labels, values: &values };
            write(description.kind, value, family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// A metric without labels that is computed now; none where it is not known.
    pub fn value(&mut self, description: &Description, value: Option<f64>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        let unit = description.client_unit();
        let encoder = self.0.encode_descriptor(description.stem(), description.help, unit.as_ref(), description.kind.to_client())?;
        write(description.kind, value, encoder)
    }
}

/// A whole number is written as one.
fn write(kind: Kind, value: f64, encoder: MetricEncoder<'_>) -> fmt::Result {
    // Above this, whole numbers are not exact anyway.
    let whole = (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64);
    match (kind, whole) {
        (Kind::Counter, Some(whole)) => ConstCounter::new(u64::try_from(whole).unwrap_or_default()).encode(encoder),
        (Kind::Counter, None) => ConstCounter::new(value).encode(encoder),
        (_, Some(whole)) => ConstGauge::new(whole).encode(encoder),
        (_, None) => ConstGauge::new(value).encode(encoder),
    }
}

/// The labels of one series.
struct Labels<'a> {
    names: &'static [&'static str],
    values: &'a [&'a str],
}

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        for (name, value) in self.names.iter().zip(self.values).filter(|(_, value)| !value.is_empty()) {
            (*name, *value).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_for_scrapers_that_name_it_and_want_it_most() {
        let open = [
            // Prometheus 2.42, 2.55 and 3, and one that asks for nothing else.
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,/;q=0.1",
            "application/vnd.google.protobuf;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; Version=\"1.0.0\"; Q=0.2",
        ];
        let classic = [
            "",
            "*/*",
            "text/plain;version=0.0.4",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/openmetrics-text;q=0,text/plain",
            "application/openmetrics-text;q=0",
            "text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.5",
            "application/openmetrics-text;version=2.0.0,text/plain;q=0.1",
            "application/json",
            ";;,=,q=;",
        ];
        assert_eq!(open.map(|accept| Format::of_accept(Some(accept))), [Format::OpenMetrics; 5]);
        assert_eq!(classic.map(|accept| Format::of_accept(Some(accept))), [Format::Classic; 10]);
        assert_eq!(Format::of_accept(None), Format::Classic);
    }
}
