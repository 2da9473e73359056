"""The engine's configuration: durable inserts, tolerance for broken parts, and nothing but its own tables."""

from pathlib import Path
from xml.sax.saxutils import escape

from infra.files import write_atomically

# An insert is acknowledged when it would survive even a power cut. Parts that a crash left half written are set
# aside, however many. Repeating an insert with the same deduplication token adds nothing (it would, by default).
SERVER = """<clickhouse>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    <max_suspicious_broken_parts>100000</max_suspicious_broken_parts>
    <max_suspicious_broken_parts_bytes>1000000000000</max_suspicious_broken_parts_bytes>
    <non_replicated_deduplication_window>10000</non_replicated_deduplication_window>
  </merge_tree>
  <access_control_improvements><table_engines_require_grant>true</table_engines_require_grant></access_control_improvements>
  <mark_cache_size>268435456</mark_cache_size>
  <users_config>{users}</users_config>
</clickhouse>
"""

# The HTTP front checks the password. A client reads and writes tables, not the files or the network of this machine.
USERS = """<clickhouse>
  <profiles><default><log_queries>0</log_queries></default></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT ALL ON *.*</query>
        <query>REVOKE SOURCES ON *.*</query>
        <query>REVOKE SYSTEM SHUTDOWN ON *.*</query>
        <query>REVOKE CREATE DICTIONARY ON *.*</query>
        <query>REVOKE TABLE ENGINE ON *</query>
{engines}
      </grants>
    </default>
  </users>
</clickhouse>
"""

# CREATE DICTIONARY is forbidden because its source may be a shell command, which no other grant prevents.
# Tables of these engines hold their own rows or read other tables; File, URL, S3, MySQL and the like do not.
ENGINES = (
    *("MergeTree", "ReplacingMergeTree", "SummingMergeTree", "AggregatingMergeTree", "CollapsingMergeTree"),
    *("VersionedCollapsingMergeTree", "CoalescingMergeTree", "Memory", "Log", "TinyLog", "StripeLog", "Null", "Set"),
    *("Join", "Buffer", "Merge", "Dictionary", "GenerateRandom", "View", "MaterializedView"),
)


def write(directory: Path) -> Path:
    """Write both files into `directory` and return the server's."""
    users, server = directory / "users.xml", directory / "config.xml"
    granted = "\n".join(f"        <query>GRANT TABLE ENGINE ON {engine}</query>" for engine in ENGINES)
    write_atomically(users, USERS.format(engines=granted).encode())
    write_atomically(server, SERVER.format(users=escape(str(users))).encode())
    return server
