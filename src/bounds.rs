//! Every bound of the agent in one place, each with its reason. A router has 64 MB of RAM and strangers on its LAN.

/// Bytes of one UCI file. A thousand pinned phones are 80 KiB; `/etc/config/dhcp` of a large site is less.
pub const UCI_FILE: usize = 1024 * 1024;
/// Sections of one UCI file.
pub const UCI_SECTIONS: usize = 8192;
/// Options and list items of one UCI file, all together.
pub const UCI_ENTRIES: usize = 65536;
/// Mistakes of one UCI file that are told one by one; nobody reads more.
pub const UCI_ERRORS: usize = 50;

/// Largest SIP datagram that is read, in bytes. The largest SUBSCRIBE seen is 709 bytes (snom M700); a datagram
/// of more than an Ethernet frame or two is not a phone's.
pub const SIP_DATAGRAM: usize = 4096;
/// Header lines in one SIP message. Phones send 11 to 16.
pub const SIP_HEADERS: usize = 64;
/// PnP dialogs kept at once: 1,000 phones after a power cut, and their repeats, with room.
pub const SIP_DIALOGS: usize = 2048;
/// SUBSCRIBEs taken from one address within [`SIP_RATE_WINDOW`] seconds. Phones send up to five for each boot.
pub const SIP_RATE: u32 = 20;
/// Seconds over which [`SIP_RATE`] counts.
pub const SIP_RATE_WINDOW: u64 = 10;
/// Addresses whose rate is remembered.
pub const SIP_RATE_SOURCES: usize = 4096;
/// Bytes of any one header that goes back to its sender (From, To, Call-ID, Event, one Via). Phones send up to 110.
pub const SIP_ECHO: usize = 512;
/// Bytes of answers kept for repeated SUBSCRIBEs, all dialogs together. A phone's two answers are about 1,000 bytes.
pub const SIP_DIALOG_BYTES: usize = 4 * 1024 * 1024;
/// NOTIFYs of `resync` that wait for their answer.
pub const SIP_RESYNCS: usize = 1024;

/// Bytes of one DHCP option's value: its length is one byte (RFC 2132 section 2).
pub const DHCP_OPTION: usize = 255;
/// Bytes for what phones are told, with the options' heads, in the three places of a packet of 576 bytes, which every client
/// takes (RFC 2131 section 2): the options (312, of which a lease with names and servers needs about 100), and the
/// fields for file and server name (RFC 2132 section 9.3). dnsmasq fills them in this order, and drops what fits nowhere.
pub const DHCP_ROOM: [usize; 3] = [208, 127, 63];

/// Bytes of a request's head (request line and headers): design section 6.
pub const HTTP_HEAD: usize = 8 * 1024;
/// Bytes of a request's target: the longest seen URL of a phone is under 400 bytes.
pub const HTTP_TARGET: usize = 2048;
/// Header lines in one request.
pub const HTTP_HEADERS: usize = 64;
/// Bytes of a request's body. Phones' GETs have none; a small one is read and dropped while the connection ends, so
/// that the answer arrives; a larger one is refused.
pub const HTTP_BODY: u64 = 64 * 1024;
/// Open connections of phones, all together.
pub const HTTP_CONNECTIONS: usize = 64;
/// Open connections of one address.
pub const HTTP_PER_ADDRESS: usize = 8;
/// Requests of one address in a second, in the long run. A phone that boots asks for 5 to 60 files, then for one a day.
pub const HTTP_RATE: u32 = 20;
/// Requests that one address may make at once, before [`HTTP_RATE`] holds.
pub const HTTP_BURST: u32 = 200;
/// Addresses whose rate is remembered.
pub const HTTP_RATE_SOURCES: usize = 1024;
/// Seconds in which a request must have arrived whole.
pub const HTTP_REQUEST_SECONDS: u64 = 10;
/// Seconds a connection may stay idle between two requests.
pub const HTTP_IDLE_SECONDS: u64 = 60;
/// Seconds without one byte taken by the client after which its answer is given up.
pub const HTTP_WRITE_STALL_SECONDS: u64 = 20;

/// Bytes of an upstream answer's head.
pub const UPSTREAM_HEAD: usize = 16 * 1024;
/// Bytes of one config. The largest real ones (snom with all languages' function keys) are under 200 KiB.
pub const CONFIG_BODY: usize = 1024 * 1024;
/// Bytes of one shared file. Firmware of desk phones is 8 to 90 MiB; more than this is refused.
pub const SHARED_BODY: u64 = 256 * 1024 * 1024;
/// Redirects followed for one request.
pub const REDIRECTS: usize = 5;
/// Seconds without one byte from the upstream after which a transfer is given up.
pub const UPSTREAM_STALL_SECONDS: u64 = 15;
/// Fetches under way at once, which is also the number of fetch threads at the most.
pub const FETCHES: usize = 8;
/// Of these, shared files at the most: each may take minutes, and configs must not wait for them.
pub const SHARED_FETCHES: usize = FETCHES / 2;
/// Bytes in a second that a shared file must come with on average, from the upstream and to the slowest of those who
/// wait for it, once a minute has passed. A thread is too good for a trickle.
pub const SHARED_RATE: u64 = 8 * 1024;
/// Fetches waiting for a thread. Beyond this a request is answered at once, from the store or with 503.
pub const FETCH_QUEUE: usize = 512;

/// Requests that wait for the neighbour table to have their address: one for each connection.
pub const NEIGHBOUR_WAITS: usize = HTTP_CONNECTIONS;

/// MACs, and addresses, whose last sighting is compared with the next one: of ten minutes.
pub const SIGHTINGS: usize = 1024;
/// Conflicts between them that are shown. More than a few are a flood, or a network that is being renumbered.
pub const CONFLICTS: usize = 64;

/// Phones in the directory. Strangers go first (least recently seen), served phones never.
pub const PHONES: usize = 4096;
/// Resources (configs and remembered answers) the cache knows at once.
pub const RESOURCES: usize = 8192;
/// Configs of one phone on flash. The most that a brand asks for is eight (Mitel: startup, model, MAC, licences).
pub const FILES_PER_PHONE: usize = 16;
/// Lines of an account that are looked at in one config. The largest DECT systems have 1,000 users.
pub const ACCOUNT_LINES: usize = 1024;
/// Bytes of a user's or registrar's name that are looked at: names in SIP URIs are far shorter.
pub const ACCOUNT_VALUE: usize = 256;
/// Settings of one config that are compared with those of the one before. The largest known have some 6,000.
pub const DIFFERENCE_SETTINGS: usize = 8192;
/// Bytes of the words that say what changed: three kinds of changes, with five names each.
pub const DIFFERENCE_WORDS: usize = 1024;
/// Bytes of configs that are read to say what changed in all of a phone's: nobody shall wait for more.
pub const DIFFERENCE_BYTES: u64 = 2 * 1024 * 1024;
/// Comparisons under way at once, each with a thread and two configs in RAM.
pub const DIFFERENCES: usize = 2;
/// Lines of the event log.
pub const EVENTS: usize = 500;
/// Events in a minute that strangers can bring about (PnP, refusals); more are counted only. Well under [`EVENTS`], so
/// that a flood of names does not wash out what happened before it.
pub const CROWD_EVENTS: usize = 120;
/// Minutes that an enrolment window may be open: a day. Who wants it open always sets `enrol 'open'`.
pub const ADMIT_MINUTES: u64 = 24 * 60;
/// Open control connections.
pub const CONTROL_CONNECTIONS: usize = 8;
/// Bytes of one control request.
pub const CONTROL_REQUEST: usize = 4096;

/// Bytes of a DHCP message, which is what one Ethernet frame holds. Clients send 300 to 590.
pub const DHCP_MESSAGE: usize = 1472;
/// Bytes of a frame with it: Ethernet, an IP header with all options, UDP.
pub const DHCP_FRAME: usize = 14 + 60 + 8 + DHCP_MESSAGE;
/// Options of one message, pieces counted each. Clients send up to about 20.
pub const DHCP_OPTIONS: usize = 128;
/// Bytes of a host name that are kept: a DNS label has up to 63.
pub const DHCP_HOST_NAME: usize = 64;
/// Bytes that the kernel keeps for one device until the loop reads them: 1,000 phones after a power cut send within
/// some seconds, not within one turn.
pub const DHCP_KERNEL_BUFFER: usize = 256 * 1024;
/// DHCPINFORMs of one address that are answered within [`DHCP_RATE_WINDOW`] seconds. Clients repeat up to four times.
pub const DHCP_RATE: u32 = 6;
/// Seconds over which [`DHCP_RATE`] counts.
pub const DHCP_RATE_WINDOW: u64 = 10;
/// Addresses whose rate is remembered.
pub const DHCP_RATE_SOURCES: usize = 1024;
/// Other DHCP servers that are remembered. One is trouble already; what clients say of servers may be invented.
pub const DHCP_SERVERS: usize = 8;
/// Seconds after which a server that nobody has named is forgotten: it was switched off. Clients name it when they
/// start, and when half of their lease (12 h by default) is over they speak to it alone, which is not seen.
pub const DHCP_SERVER_SECONDS: u64 = 6 * 3600;
/// Events that DHCP may lead to within a minute. Frames are easily forged, and the log holds [`EVENTS`] lines.
pub const DHCP_EVENTS: u32 = 30;

/// Seconds that a change of another package's file waits for its lock. `uci commit` holds it for milliseconds.
pub const FILE_LOCK_SECONDS: u64 = 10;
/// Seconds that it waits for another program's temporary file to become that file.
pub const FILE_OTHERS_SECONDS: u64 = 1;
/// How often it begins anew because the file was replaced meanwhile.
pub const FILE_TRIES: usize = 20;
/// Temporary files beside it that are looked at.
pub const FILE_TEMPORARIES: usize = 64;
/// Seconds for dnsmasq's init script to end. It probes for other DHCP servers, some seconds for each device.
pub const RELOAD_SECONDS: u64 = 60;

/// Bytes of a command in another package's file that is written down so that it can be put back.
pub const BORROWED_COMMAND: usize = 256;

/// Addresses and blocks that have rules for calls. Each is two rules that each packet is compared with.
pub const QOS_BLOCKS: usize = 64;
/// Addresses of one name that are taken. Pools of media servers answer with up to eight at once.
pub const QOS_PER_HOST: usize = 16;
/// Seconds for the look-up of all names. The C library itself goes on for as long as it likes.
pub const QOS_LOOKUP_SECONDS: u64 = 6;
/// Seconds between two look-ups of the names, as DNS keeps most answers that long.
pub const QOS_WATCH_SECONDS: u64 = 300;
/// Seconds until the next, while something failed.
pub const QOS_RETRY_SECONDS: u64 = 30;
/// Seconds that an address which a name no longer has keeps its rules: of a pool each answer has another part.
pub const QOS_KEEP_SECONDS: u64 = 3600;
/// Stored configs that are read to suggest media servers.
pub const QOS_SUGGEST_CONFIGS: usize = 512;
/// Suggestions that are shown.
pub const QOS_SUGGESTIONS: usize = 16;

/// Bytes of the arguments of one ubus call. uhttpd takes 64 KiB of a page; a large config is less.
pub const RPCD_ARGS: usize = 256 * 1024;
/// Bytes of one value that a page has checked. LuCI's forms set no limit; no option takes as much.
pub const RPCD_VALUE: usize = 16 * 1024;
/// Values of one list, or options of one section, that a page has checked.
pub const RPCD_LIST: usize = 1024;
/// Sections that a page has checked together.
pub const RPCD_SECTIONS: usize = 4096;
/// Bytes of one answer to ubus. rpcd takes 256 KiB of a plugin, and of a longer answer nothing at all.
pub const RPCD_ANSWER: usize = 240 * 1024;
/// Phones that the agent is asked for in one call: about what fits into an answer.
pub const RPCD_PHONES: usize = 512;
/// Seconds that a call waits for each step of asking the agent: a web page waits 20 s.
pub const RPCD_SECONDS: u64 = 8;
/// Jobs that web pages started and that are at work: half of the agent's control connections.
pub const RPCD_JOBS: usize = 4;
/// Jobs whose results are kept in RAM.
pub const RPCD_JOBS_KEPT: usize = 16;
/// Seconds that a result is kept.
pub const RPCD_JOB_SECONDS: u64 = 3600;
/// Files in the folder of jobs that are looked at: three for each job, and leftovers.
pub const RPCD_JOB_FILES: usize = 1024;

/// Time after an answer in which the provisioner has none for the same phone: phones ask twice in a row.
pub const PROVISIONER_PAUSE: std::time::Duration = std::time::Duration::from_secs(6);
/// Phones whose last answer the provisioner remembers: 5,000 requests a second for as long as the pause.
pub const PROVISIONER_RECENT: usize = 32 * 1024;
/// Wrong passwords that an address may try at once: an office of that many phones has got another one.
pub const PROVISIONER_GUESSES: u32 = 100;
/// After them, one each time: 14,400 a day.
pub const PROVISIONER_GUESS_PAUSE: std::time::Duration = std::time::Duration::from_secs(6);
/// Addresses whose wrong passwords are remembered.
pub const PROVISIONER_GUESS_SOURCES: usize = 16 * 1024;
/// Phones that are known to have had the right password at an address.
pub const PROVISIONER_GOOD: usize = 100_000;
/// Open connections of the provisioner: agents and phones of many offices.
pub const PROVISIONER_CONNECTIONS: usize = 1024;
/// Of these, from one address: a reverse proxy, or an office behind NAT, has all of its phones there.
pub const PROVISIONER_PER_ADDRESS: usize = 512;
/// Lines of one phone. The largest desk phones have 16 accounts; a base for handsets 30.
pub const PROVISIONER_LINES: usize = 64;
/// Bytes of one document of the provisioner. The largest template has 60 KiB.
pub const PROVISIONER_DOCUMENT: u64 = 4 * 1024 * 1024;
/// Documents of a folder: ten for each of 50,000 phones. A folder with more than these is another one by mistake.
pub const PROVISIONER_DOCUMENTS: usize = 500_000;
/// Folders within folders of a store: `account/aa/bb/…` has three.
pub const PROVISIONER_DEPTH: usize = 8;
/// Files that are looked at before requests are answered again, while a store is watched.
pub const PROVISIONER_WATCH: usize = 2048;
/// Nodes of a CouchDB cluster that are named. Clusters have three to nine.
pub const COUCH_NODES: usize = 16;
/// Seconds for CouchDB to begin an answer, and for each further piece of it. It answers within milliseconds unless it
/// is very busy.
pub const COUCH_SECONDS: u64 = 10;
/// Seconds for a node to say that it is there.
pub const COUCH_HELLO_SECONDS: u64 = 3;
/// Seconds for a whole answer: a page of documents, or the names of all databases.
pub const COUCH_ANSWER_SECONDS: u64 = 60;
/// Bytes of an answer around its rows.
pub const COUCH_AROUND: usize = 64 * 1024;
/// Databases that are followed: that many accounts.
pub const COUCH_DATABASES: usize = 50_000;
/// Revisions that are remembered, also of documents that are not kept: an account has voicemails, call flows and others.
pub const COUCH_REVISIONS: usize = 2_000_000;
/// Times that a document is written again because somebody else was faster.
pub const COUCH_TRIES: usize = 10;
/// Elements within elements of a phone's exported settings. Configs have up to 6 levels.
pub const IMPORT_DEPTH: usize = 64;

/// Bytes of a call of Kazoo's. An account's document with a directory of 5,000 people is 500 KiB.
pub const KAZOO_BODY: u64 = 1024 * 1024;
/// Bytes of an account's id. Kazoo's are 32.
pub const KAZOO_ID: usize = 64;
/// Keys of one device in a call of Kazoo's. The most that phones have with all modules is under 200.
pub const KAZOO_KEYS: usize = 512;
/// Calls of Kazoo's that wait for the store. It tries again what is refused.
pub const KAZOO_QUEUE: usize = 64;
