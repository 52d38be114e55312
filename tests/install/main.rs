//! What users install, as their own tools take it: Helm 4 and Helm 3 from their Go modules, `kubectl apply -k`, and a real API server with
//! Pod Security admission and a controller manager that makes Pods. There is no kubelet: Pods stay Pending.

mod admission;
mod chart;
mod cluster;
mod drift;
mod kustomize;
mod monitoring;
mod refused;
mod release;
mod restricted;
#[path = "../setup/mod.rs"]
mod setup;
