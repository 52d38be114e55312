//! The parameters of CloneDBInstance.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::choose::UsableSet;

/// The service takes a ClientToken of at most 64 characters of ASCII. 20 bytes of the digest are 40 of them.
const TOKEN_BYTES: usize = 20;

/// Where the clone goes, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its network.
    pub network: Network,
    /// The zone of its vSwitch; none for the source's.
    pub zone: Option<String>,
    /// The type of its disk; none for the source's.
    pub storage_type: Option<String>,
    /// Its name; none for `restore-of-` and the instance.
    pub name: Option<String>,
    /// Whether the service refuses to delete it.
    pub deletion_protection: bool,
}

/// The network of a clone. One that is not named would be the source's, by accident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// This one.
    Named {
        /// `VPCId`
        vpc: String,
        /// `VSwitchId`
        vswitch: String,
    },
    /// The source's, on purpose.
    OfTheSource,
    /// The person fills it in: as a variable.
    Asked,
}

/// What is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The set.
    Set,
    /// This moment, from a set and the log after it: the service chooses both.
    Time(Timestamp),
}

/// One call of CloneDBInstance, <https://www.alibabacloud.com/help/en/rds/developer-reference/api-rds-2014-08-15-clonedbinstance>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloneCall {
    /// The region whose endpoint is called.
    pub region: String,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// As the API spells it.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// The person fills it in.
    Asked {
        /// The name of the variable, in lower case.
        variable: &'static str,
        /// What it is.
        what: &'static str,
    },
}

impl CloneCall {
    /// The call that restores a set, or a moment of its instance, into a new instance.
    pub fn new(set: &UsableSet, point: Point, target: &Target) -> Self {
        let mut parameters = Vec::new();
        let mut put = |name, value| parameters.push(Parameter { name, value });
        let text = |text: &str| Value::Text(text.to_owned());
        put("RegionId", text(&set.region));
        put("DBInstanceId", text(&set.instance));
        match point {
            Point::Set => put("BackupId", text(&set.backup_id)),
            Point::Time(at) => put("RestoreTime", Value::Text(second(at))),
        }
        // Of a set that holds single databases (SQL Server), these.
        if point == Point::Set && !set.databases.is_empty() {
            put("DbNames", Value::Text(set.databases.join(",")));
        }
        put("PayType", text("Postpaid"));
        match &target.network {
            Network::OfTheSource => {}
            network => {
                let (vpc, vswitch) = match network {
                    Network::Named { vpc, vswitch } => (text(vpc), text(vswitch)),
                    _ => (
                        Value::Asked { variable: "vpc_id", what: "the VPC of the clone" },
                        Value::Asked { variable: "vswitch_id", what: "the vSwitch of the clone" },
                    ),
                };
                put("InstanceNetworkType", text("VPC"));
                put("VPCId", vpc);
                put("VSwitchId", vswitch);
            }
        }
        if let Some(zone) = &target.zone {
            put("ZoneId", text(zone));
        }
        if let Some(storage_type) = &target.storage_type {
            put("DBInstanceStorageType", text(storage_type));
        }
        put("DBInstanceDescription", Value::Text(target.name.clone().unwrap_or_else(|| format!("restore-of-{}", set.instance))));
        put("DeletionProtection", Value::Flag(target.deletion_protection));
        put("ClientToken", Value::Text(client_token(set, point, target.name.as_deref())));
        Self { region: set.region.clone(), parameters }
    }

    /// The value of a parameter, if the call has it.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.parameters.iter().find(|parameter| parameter.name == name).map(|parameter| &parameter.value)
    }
}

/// The same for the same RdsBackup, set and name, so that a command that is pasted twice makes one clone. Another name is another clone.
fn client_token(set: &UsableSet, point: Point, name: Option<&str>) -> String {
    let what = match point {
        Point::Set => format!("set {}", set.backup_id),
        Point::Time(at) => format!("time {}", second(at)),
    };
    let digest = Sha256::digest(format!("CloneDBInstance\n{}\n{what}\n{}", set.uid, name.unwrap_or_default()));
    format!("rdsb-{}", base16ct::lower::encode_string(digest.get(..TOKEN_BYTES).unwrap_or_default()))
}

/// `yyyy-MM-ddTHH:mm:ssZ`, as `RestoreTime` takes it.
pub(super) fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
