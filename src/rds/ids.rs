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
