"""The official clients, each behind the same few methods. `call` returns the answer as a dictionary or raises Refused."""

import json

from aliyunsdkcore.acs_exception.exceptions import ClientException, ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import RpcRequest
from aliyunsdkrds.request.v20140815.CloneDBInstanceRequest import CloneDBInstanceRequest
from aliyunsdkrds.request.v20140815.CreateBackupRequest import CreateBackupRequest
from aliyunsdkrds.request.v20140815.DeleteBackupRequest import DeleteBackupRequest
from aliyunsdkrds.request.v20140815.DescribeBackupPolicyRequest import DescribeBackupPolicyRequest
from aliyunsdkrds.request.v20140815.DescribeBackupsRequest import DescribeBackupsRequest
from aliyunsdkrds.request.v20140815.DescribeBackupTasksRequest import DescribeBackupTasksRequest
from aliyunsdkrds.request.v20140815.DescribeDBInstanceAttributeRequest import DescribeDBInstanceAttributeRequest
from aliyunsdkrds.request.v20140815.DescribeDBInstancesRequest import DescribeDBInstancesRequest
from alibabacloud_rds20140815 import models
from alibabacloud_rds20140815.client import Client
from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_util.models import RuntimeOptions
from Tea.exceptions import TeaException, UnretryableException


class Refused(Exception):
    """The client says that the service refused."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class NoAnswer(Exception):
    """The client says that no answer came."""


class Tea:
    """alibabacloud-rds20140815. Signs V3; with `signature_algorithm="v2"` it signs V1 and puts everything into the query."""

    def __init__(self, name, signature, algorithm):
        self.name, self.signature, self._algorithm = name, signature, algorithm

    def call(self, address, key, secret, action, parameters):
        config = Config(access_key_id=key, access_key_secret=secret, endpoint=address, protocol="http", region_id="cn-hangzhou")
        config.signature_algorithm = self._algorithm
        request_class = getattr(models, action + "Request")
        method = {
            "CloneDBInstance": "clone_dbinstance_with_options",
            "CreateBackup": "create_backup_with_options",
            "DeleteBackup": "delete_backup_with_options",
            "DescribeBackupPolicy": "describe_backup_policy_with_options",
            "DescribeBackups": "describe_backups_with_options",
            "DescribeBackupTasks": "describe_backup_tasks_with_options",
            "DescribeDBInstanceAttribute": "describe_dbinstance_attribute_with_options",
            "DescribeDBInstances": "describe_dbinstances_with_options",
        }[action]
        request = request_class().from_map(parameters)
        runtime = RuntimeOptions(autoretry=False, max_attempts=1, connect_timeout=5000, read_timeout=10000)
        try:
            answer = getattr(Client(config), method)(request, runtime)
        except UnretryableException as error:
            raise NoAnswer() from error
        except TeaException as error:
            raise Refused(error.code) from error
        except Exception as error:  # the client has classes of its own for what the network does
            code = getattr(error, "code", None)
            raise (Refused(code) if code else NoAnswer()) from error
        return answer.body.to_map()


def as_text(value):
    """As the service takes it: this client writes a Python word."""
    return str(value).lower() if isinstance(value, bool) else value


def answer_of(client, request):
    """The classic client's answer, or its error as one of ours."""
    try:
        return json.loads(client.do_action_with_exception(request))
    except ServerException as error:
        raise Refused(error.get_error_code()) from error
    except ClientException as error:
        raise NoAnswer() from error


class Classic:
    """aliyun-python-sdk-rds over aliyun-python-sdk-core. Signs V1."""

    name, signature = "aliyun-python-sdk-rds", "V1"

    REQUESTS = {
        "CloneDBInstance": CloneDBInstanceRequest,
        "CreateBackup": CreateBackupRequest,
        "DescribeBackups": DescribeBackupsRequest,
        "DescribeBackupTasks": DescribeBackupTasksRequest,
        "DescribeDBInstanceAttribute": DescribeDBInstanceAttributeRequest,
        "DescribeDBInstances": DescribeDBInstancesRequest,
        "DescribeBackupPolicy": DescribeBackupPolicyRequest,
        "DeleteBackup": DeleteBackupRequest,
    }

    def __init__(self, method):
        self._method = method
        self.name = "%s, %s" % (Classic.name, method)

    def call(self, address, key, secret, action, parameters):
        client = AcsClient(key, secret, "cn-hangzhou", auto_retry=False, timeout=10)
        request = Classic.REQUESTS[action]()
        request.set_endpoint(address)
        request.set_method(self._method)
        for name, value in parameters.items():
            request.add_query_param(name, as_text(value))
        return answer_of(client, request)


class Terraform:
    """The split that Terraform's provider makes, by the classic client's own signer: what all requests have in the query, the action's own
    parameters in a form body."""

    name, signature = "aliyun-python-sdk-core, own parameters in a form", "V1"

    def call(self, address, key, secret, action, parameters):
        client = AcsClient(key, secret, "cn-hangzhou", auto_retry=False, timeout=10)
        request = RpcRequest("Rds", "2014-08-15", action)
        request.set_endpoint(address)
        request.set_method("POST")
        request.add_query_param("SourceIp", "")
        for name, value in parameters.items():
            # The region is among what all requests have.
            add = request.add_query_param if name == "RegionId" else request.add_body_params
            add(name, as_text(value))
        return answer_of(client, request)


ALL = [
    Tea("alibabacloud-rds20140815", "V3", None),
    Tea('alibabacloud-rds20140815, signature_algorithm="v2"', "V1", "v2"),
    Classic("GET"),
    Classic("POST"),
    Terraform(),
]
