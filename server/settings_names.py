"""Every setting, one row each: its name, flag, variables, default, meaning and unit.

`--help`, docs/settings.md, `omniroute doctor` and the reader in settings.py all come from this
table, so none can say what the others do not. Holds names and words only and imports nothing
heavy: `omniroute --help` reads it. Documented variables that set nothing are in
settings_documented.py.

Source of the documented names: OmniRoute's reference, sections 7.1 and 7.4 (version 2.3.10).
"""

from .setting import Setting, set_by

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "host",
        "127.0.0.1",
        "The address to listen on: an IP address or localhost; 0.0.0.0 or :: is every address. "
        "Anything but loopback needs a key from every caller. HOSTNAME counts only when it is "
        "an IP address or localhost, as shells and containers put the machine's name there.",
        set_by("OMNIROUTE_HOST", kind="address", HOSTNAME="machine_name"),
        flag="--host",
        value_name="ADDRESS",
    ),
    Setting(
        "port",
        "20128",
        "The port to listen on; 0 takes any free one.",
        set_by("OMNIROUTE_PORT", "PORT", kind="port"),
        flag="--port",
        value_name="PORT",
    ),
    Setting(
        "workers",
        "1",
        "How many processes answer on the one port, to use several cores: to its user they are "
        "one gateway, and budgets are as exact. More than one is to be had on Linux.",
        set_by("OMNIROUTE_WORKERS", kind="workers"),
        flag="--workers",
        value_name="N",
    ),
    Setting(
        "data_dir",
        "$XDG_CONFIG_HOME/omniroute, else ~/.omniroute",
        "The data folder: database, keys, and which gateway runs.",
        set_by("OMNIROUTE_DATA_DIR", "DATA_DIR", kind="folder"),
        flag="--data-dir",
        value_name="FOLDER",
    ),
    Setting(
        "database_url",
        "storage.sqlite in the data folder",
        "The database: postgresql://user:password@host:port/name, or sqlite:////absolute/file.",
        set_by("OMNIROUTE_DATABASE_URL", kind="database"),
    ),
    Setting(
        "public_url",
        "where the gateway listens",
        "The URL by which others reach the gateway, without /v1; agent cards name it, and its "
        "host is allowed.",
        set_by("OMNIROUTE_PUBLIC_URL", "OMNIROUTE_BASE_URL", "BASE_URL", kind="url"),
        flag="--public-url",
        value_name="URL",
    ),
    Setting(
        "proxy",
        "none",
        "The proxy that calls to providers go through, http://, https:// or socks5://host:port "
        "with user:password@ before it if need be; accounts that are local go directly. "
        "`omniroute proxy` sets others while the gateway runs.",
        set_by("OMNIROUTE_PROXY", kind="proxy"),
    ),
    Setting(
        "trusted_proxies",
        "none",
        "Proxies whose forwarded headers are believed, as addresses or networks such as "
        "10.0.0.0/8.",
        set_by("OMNIROUTE_TRUSTED_PROXIES", kind="networks"),
        flag="--trusted-proxy",
        value_name="NETWORK",
        repeats=True,
    ),
    Setting(
        "require_key",
        "auto",
        "auto: callers from this machine need no key as long as none exists and the gateway "
        "listens on loopback. always: every caller needs one.",
        set_by("OMNIROUTE_REQUIRE_KEY", kind="require_key", REQUIRE_API_KEY="require_key_switch"),
    ),
    Setting(
        "allowed_hosts",
        "loopback, the listener's address, the public URL's host",
        "Further host names by which clients may call the gateway.",
        set_by("OMNIROUTE_ALLOWED_HOSTS", kind="hosts"),
        flag="--allowed-host",
        value_name="HOST",
        repeats=True,
    ),
    Setting(
        "allowed_origins",
        "those of the allowed hosts",
        "Further web origins whose pages may call the gateway, such as https://app.example.com.",
        set_by("OMNIROUTE_ALLOWED_ORIGINS", "CORS_ORIGIN", "CORS_ORIGINS", kind="origins"),
        flag="--allowed-origin",
        value_name="ORIGIN",
        repeats=True,
    ),
    Setting(
        "body_bytes_max",
        "32 MiB",
        "The largest body of a request on /v1; also written as 64MiB. MCP takes 4 MiB, A2A "
        "8 MiB and the management API 1 MiB.",
        set_by("OMNIROUTE_BODY_BYTES_MAX", "MAX_BODY_SIZE_BYTES", kind="size"),
        unit="bytes",
    ),
    Setting(
        "connections_per_address_max",
        "1000",
        "How many connections one address may have open at each worker; those of this machine and "
        "of trusted proxies stand for many clients and are not counted so. In all there may be "
        "half as many as the system lets the process open files.",
        set_by("OMNIROUTE_CONNECTIONS_PER_ADDRESS_MAX", kind="count"),
    ),
    Setting(
        "memory_max",
        "what the control group (container) of the gateway may hold",
        "The most memory that the gateway should hold, all its workers together, such as 512MiB. "
        "Where 90 % of it, or of what the control group allows, is held, new requests that cost "
        "are refused with 503 until it is 85 %.",
        set_by("OMNIROUTE_MEMORY_MAX", kind="memory", OMNIROUTE_MEMORY_MB="mebibytes"),
        unit="bytes",
    ),
    Setting(
        "first_byte_hold_s",
        "10",
        "How long a stream's status waits for the first content before keep-alives are sent; "
        "until then a failed candidate is replaced without a trace.",
        set_by("OMNIROUTE_FIRST_BYTE_HOLD_S", kind="seconds"),
        unit="seconds",
    ),
    Setting(
        "response_cache_s",
        "never",
        "For how long an answer is given again to the same question of the same key; never asks "
        "the models each time, unless a request says `x-omniroute-cache`.",
        set_by("OMNIROUTE_RESPONSE_CACHE_S", kind="seconds_or_never"),
        unit="seconds",
    ),
    Setting(
        "connect_s",
        "3",
        "How long connecting to a provider may take.",
        set_by("OMNIROUTE_CONNECT_S", kind="seconds"),
        unit="seconds",
    ),
    Setting(
        "first_byte_s",
        "60",
        "How long a provider may take to its first byte. FETCH_TIMEOUT_MS is in milliseconds.",
        set_by("OMNIROUTE_FIRST_BYTE_S", kind="seconds", FETCH_TIMEOUT_MS="milliseconds"),
        unit="seconds",
    ),
    Setting(
        "idle_s",
        "60",
        "How long a provider may pause within an answer. STREAM_IDLE_TIMEOUT_MS is in "
        "milliseconds.",
        set_by("OMNIROUTE_IDLE_S", kind="seconds", STREAM_IDLE_TIMEOUT_MS="milliseconds"),
        unit="seconds",
    ),
    Setting(
        "total_s",
        "600",
        "How long a request may take with all its attempts.",
        set_by("OMNIROUTE_TOTAL_S", kind="seconds"),
        unit="seconds",
    ),
    Setting(
        "shutdown_s",
        "30",
        "How long requests in flight may go on after the gateway was told to stop. "
        "SHUTDOWN_TIMEOUT_MS is in milliseconds.",
        set_by("OMNIROUTE_SHUTDOWN_S", kind="seconds", SHUTDOWN_TIMEOUT_MS="milliseconds"),
        unit="seconds",
    ),
    Setting(
        "retention_days",
        "90",
        "How many days requests are kept, with their attempts, decisions and settled holds, and "
        "calls of MCP tools; never removes none. What budgets have spent stays.",
        set_by("OMNIROUTE_RETENTION_DAYS", "LOG_RETENTION_DAYS", kind="days_or_never"),
        unit="days",
    ),
    Setting(
        "retention_requests",
        "never",
        "How many requests are kept: beyond them the oldest are removed, whatever their age; never "
        "removes none for their number.",
        set_by("OMNIROUTE_RETENTION_REQUESTS", kind="count_or_never"),
    ),
    Setting(
        "retention_bytes",
        "never",
        "How many bytes requests may take with what is kept of each, such as 10GiB: beyond them "
        "the oldest are removed, whatever their age; never removes none for their size.",
        set_by("OMNIROUTE_RETENTION_BYTES", kind="size_or_never"),
        unit="bytes",
    ),
    Setting(
        "content_bytes",
        "268435456",
        "How many bytes prompts and answers may take that are kept for keys with --log-content: "
        "beyond them the oldest are removed; never removes none before their requests go.",
        set_by("OMNIROUTE_CONTENT_BYTES", kind="size_or_never"),
        unit="bytes",
    ),
    Setting(
        "audit_retention_days",
        "never",
        "How many days changes stay in the audit log. Older ones are removed behind a signed "
        "checkpoint from which the log verifies; never removes none.",
        set_by("OMNIROUTE_AUDIT_RETENTION_DAYS", kind="days_or_never"),
        unit="days",
    ),
    Setting(
        "backup_days",
        "1",
        "How often a gateway backs up its SQLite database by itself, into db_backups in the data "
        "folder; never leaves it to `omniroute backup`, which PostgreSQL is always left to.",
        set_by("OMNIROUTE_BACKUP_DAYS", kind="days_or_never"),
        unit="days",
    ),
    Setting(
        "backups_kept",
        "7",
        "How many backups the data folder keeps; the oldest goes when one more was made and "
        "found whole.",
        set_by("OMNIROUTE_BACKUPS_KEPT", kind="count"),
    ),
    Setting(
        "a2a_task_s",
        "300",
        "How long an A2A task may take, with all its attempts; one that is not done by then fails. "
        "A send that waits for the answer waits as long.",
        set_by("OMNIROUTE_A2A_TASK_S", kind="seconds"),
        unit="seconds",
    ),
    Setting(
        "a2a_retention_days",
        "1",
        "How many days an A2A task can be asked for after its last change; never forgets none. "
        "Tasks keep the days that were in force when they were accepted.",
        set_by("OMNIROUTE_A2A_RETENTION_DAYS", kind="days_or_never"),
        unit="days",
    ),
    Setting(
        "mcp_audit_arguments",
        "off",
        "Keep the arguments of MCP tool calls in their audit, with every free text replaced by its "
        "length; off keeps their hash alone. Nothing is kept for a key with --no-log.",
        set_by("OMNIROUTE_MCP_AUDIT_ARGUMENTS", kind="switch"),
    ),
    Setting(
        "a2a_private_webhooks",
        "off",
        "Let A2A clients have push notifications sent to this machine and its networks, also "
        "without TLS; off sends them to public servers over https alone.",
        set_by("OMNIROUTE_A2A_PRIVATE_WEBHOOKS", kind="switch"),
    ),
    Setting(
        "a2a_card_key",
        "none",
        "A PEM file with the private key that A2A agent cards are signed with: Ed25519, P-256, "
        "P-384 or RSA; its public half is at /.well-known/jwks.json.",
        set_by("OMNIROUTE_A2A_CARD_KEY", kind="file"),
    ),
    Setting(
        "exit_when_idle_s",
        "never",
        "End the gateway after this long without a request.",
        set_by("OMNIROUTE_EXIT_WHEN_IDLE_S", kind="seconds_or_never"),
        flag="--exit-when-idle",
        value_name="SECONDS",
        unit="seconds",
    ),
    Setting(
        "log_level",
        "info",
        "The least that is logged: debug, info, warning or error.",
        set_by("OMNIROUTE_LOG_LEVEL", "LOG_LEVEL", kind="level"),
    ),
    Setting(
        "log_format",
        "text",
        "How log lines read: text, or json with one object a line.",
        set_by("OMNIROUTE_LOG_FORMAT", "LOG_FORMAT", kind="log_format"),
    ),
    Setting(
        "log_file",
        "standard error",
        "The file that the log goes to; five full ones stay beside it.",
        set_by("OMNIROUTE_LOG_FILE", "LOG_FILE_PATH", kind="file"),
    ),
    Setting(
        "log_file_bytes_max",
        "52428800",
        "How large a log file may become before a new one is begun; takes k, M and G.",
        set_by("OMNIROUTE_LOG_FILE_BYTES_MAX", "LOG_MAX_FILE_SIZE", kind="size"),
        unit="bytes",
    ),
    Setting(
        "access_log",
        "off",
        "Log every request: one line for what was asked over HTTP, and one for what came of it "
        "at providers, with tokens and cost. Never a prompt, a query or a header.",
        set_by("OMNIROUTE_ACCESS_LOG", "ENABLE_REQUEST_LOGS", kind="switch"),
    ),
    Setting(
        "otel",
        "off",
        "Tell OpenTelemetry of requests, calls, tools and tasks, as traces and metrics over "
        "OTLP/HTTP; needs the extra omniroute[otel]. Its own OTEL_* variables say where to.",
        set_by("OMNIROUTE_OTEL", kind="switch"),
    ),
    Setting(
        "dashboard_idle_s",
        "28800",
        "After how long without a request a session of the dashboard is over.",
        set_by("OMNIROUTE_DASHBOARD_IDLE_S", kind="seconds"),
        unit="seconds",
    ),
    Setting(
        "dashboard_days",
        "7",
        "After how many days a session of the dashboard is over, however much it is used.",
        set_by("OMNIROUTE_DASHBOARD_DAYS", kind="count"),
        unit="days",
    ),
    Setting(
        "dashboard_plain_cookie",
        "off",
        "Let people sign in to the dashboard over plain HTTP, with a cookie that everybody on the "
        "way can read; off lets them over HTTPS, and over HTTP on this machine alone.",
        set_by("OMNIROUTE_DASHBOARD_PLAIN_COOKIE", kind="switch"),
    ),
    Setting(
        "initial_password",
        "none",
        "The dashboard's password, set at a start where there is none yet: at least 12 "
        "characters, and none of the usual examples. `omniroute password set` is the better way.",
        set_by("OMNIROUTE_INITIAL_PASSWORD", "INITIAL_PASSWORD", kind="password"),
    ),
    Setting(
        "dev",
        "off",
        "Also listen on 127.0.0.1:20130 for MCP alone.",
        set_by("OMNIROUTE_DEV", kind="switch"),
        flag="--dev",
    ),
    Setting(
        "open_browser",
        "on",
        "Open the dashboard in the browser on start, where a person started it on a terminal.",
        set_by("OMNIROUTE_OPEN_BROWSER", kind="switch"),
        flag="--no-open",
        flag_words="do not open the dashboard on start",
    ),
    Setting(
        "storage_encryption_key",
        "made at the first start, kept in the data folder",
        "What provider secrets are sealed and keys are hashed with, at least 32 random "
        "characters; several with commas, the newest first. Several machines on one database "
        "need the same.",
        set_by("OMNIROUTE_STORAGE_ENCRYPTION_KEY", "STORAGE_ENCRYPTION_KEY", kind="secret"),
    ),
)


def setting(name: str) -> Setting:
    """Give the row of a field's name."""
    return next(one for one in SETTINGS if one.name == name)
