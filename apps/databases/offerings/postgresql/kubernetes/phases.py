"""The phases of CloudNativePG's ``Cluster`` (``status.phase``) in the words of a customer."""

HEALTHY = "Cluster in healthy state"

# Phase -> reason and what is being waited for. Those of ``SERVING`` leave a service that has been ready usable.
WAITING = {
    "": ("Queued", "Waiting for the database operator to take the order up."),
    "Setting up primary": ("SettingUpPrimary", "Waiting for the first node to set up its data."),
    "Creating a new replica": ("CreatingReplica", "Waiting for another node to copy the data."),
    "Waiting for the instances to become active": ("StartingNodes", "Waiting for the nodes to become active."),
    "Applying configuration": ("ApplyingConfiguration", "Waiting for the nodes to take up their settings."),
    "Upgrading cluster": ("Updating", "Waiting for the nodes to be replaced one after the other."),
    "Upgrading Postgres major version": ("UpgradingVersion", "Waiting for the data to be brought to the new version."),
    "Online upgrade in progress": ("Updating", "Waiting for the operator's own update of the nodes."),
    "Primary instance is being restarted without a switchover": ("Restarting", "Waiting for PostgreSQL to restart."),
    "Primary instance is being restarted in-place": ("Restarting", "Waiting for PostgreSQL to restart."),
    "Switchover in progress": ("SwitchingOver", "Waiting for another node to take over."),
    "Failing over": ("FailingOver", "A node failed; waiting for another one to take over."),
    "Waiting for user action": ("WaitingForOperator", "Waiting for an operator of the platform to start the update."),
    "Cluster is not healthy": ("Unhealthy", "PostgreSQL does not answer as it should; the platform keeps trying."),
}
SERVING = frozenset(
    {
        HEALTHY,
        "Creating a new replica",
        "Waiting for the instances to become active",
        "Applying configuration",
        "Upgrading cluster",
        "Online upgrade in progress",
        "Waiting for user action",
    }
)
FULL = "Not enough disk space"
FULL_WORDS = "The disk is full, so PostgreSQL has stopped. Ask for a larger disk in the settings."

# Phases out of which nothing leads by itself -> reason and what it means, who can help. ``%s`` is the operator's word.
FINAL = {
    "Cluster is unrecoverable and needs manual intervention": (
        "Unrecoverable",
        "PostgreSQL can't be brought back on its own%s. Restore a backup into a new service, or ask the platform's "
        "operator.",
    ),
    "Invalid cluster definition": (
        "InvalidDefinition",
        "The region refuses these settings%s. Undo your last change, or ask the platform's operator.",
    ),
    "Cluster has incomplete or invalid image catalog": (
        "ReleaseMissing",
        "This region does not have this version's image%s. The platform's operator has to add it.",
    ),
    "Unable to create required cluster objects": (
        "ObjectsRefused",
        "The region can't make what the service needs%s. The platform's operator has to help.",
    ),
    "Cluster cannot proceed to reconciliation due to an unknown plugin being required": (
        "PluginMissing",
        "The region's backup plugin is not installed%s. The platform's operator has to add it.",
    ),
    "Cluster cannot proceed to reconciliation due to an interaction failure with a plugin": (
        "PluginFailed",
        "The region's backup plugin does not answer%s. The platform's operator has to help.",
    ),
}
