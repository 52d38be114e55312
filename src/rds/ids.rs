//! The identifiers of the cloud. Each is a type of its own, so that a job's id cannot be passed for a backup set's id.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is: the service decides what exists.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id as it travels on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self::new(id)
            }
        }
    };
}

id! {
    /// `DBInstanceId`, for example `rm-uf6wjk5xxxx`. Instance ids are unique over all regions.
    InstanceId
}
id! {
    /// `BackupJobId`: the answer to CreateBackup. Text in the documentation, a number on the wire.
    JobId
}
id! {
    /// `BackupId`: names a finished backup set. A job has one only when it is finished.
    BackupId
}

/// A backup by the ids that are known of it: its job's while it runs, its set's too once it has ended, its set's alone where the set was
/// found without the job. Empty where there is no backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BackupRef {
    /// The job that makes it.
    pub job: Option<JobId>,
    /// The set that it made.
    pub set: Option<BackupId>,
}

impl BackupRef {
    /// A backup of which only the job is known.
    pub fn of_job(job: JobId) -> Self {
        Self { job: Some(job), set: None }
    }

    /// A backup of which only the set is known.
    pub fn of_set(set: BackupId) -> Self {
        Self { job: None, set: Some(set) }
    }

    /// Whether no backup is named.
    pub fn is_empty(&self) -> bool {
        self.job.is_none() && self.set.is_none()
    }

    /// Whether both name the same backup, by its job or by its set. What only one of them knows does not tell them apart.
    pub fn is(&self, other: &Self) -> bool {
        (self.job.is_some() && self.job == other.job) || (self.set.is_some() && self.set == other.set)
    }

    /// What the backup is followed by: the job's id, or the set's where the job is not known.
    pub fn key(&self) -> Option<&str> {
        self.job.as_ref().map(JobId::as_str).or(self.set.as_ref().map(BackupId::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_known_by_its_job_or_by_its_set() {
        let both = BackupRef { job: Some("7".into()), set: Some("9".into()) };
        let (job, set) = (BackupRef::of_job("7".into()), BackupRef::of_set("9".into()));
        assert!(both.is(&job) && both.is(&set) && set.is(&both));
        assert!(!job.is(&set), "nothing says that they are the same");
        assert!(!BackupRef::of_set("7".into()).is(&job), "a job's id is no set's id");
        assert!(!BackupRef::default().is(&BackupRef::default()), "no backup is no backup");
        assert_eq!((both.key(), set.key(), BackupRef::default().key()), (Some("7"), Some("9"), None));
    }
}
