package config

// Setting is a line of the reference: docs/proxy.md and proxy.yaml(5) are made from
// it. Words between back quotes are typed as they are.
type Setting struct {
	Keys    string // one, or several that belong together
	What    string // in brackets HAProxy's word for the same
	Default string // "" for none
}

// Settings explains every key of the file. Setup writes the first eight lines; the
// others are for the administrator's own file.
func Settings() []Setting {
	return []Setting{
		{"`url`", "public URL", ""},
		{"`listen`, `redirect-listen`", "addresses for TLS, and for the plain HTTP that redirects", "the URL's port"},
		{"`upstream`", "Bitbucket's connector", "http://127.0.0.1:7990"},
		{"`upstream-ca`, `upstream-name`", "where `upstream` begins with `https://` because Bitbucket does TLS itself, on another machine for one: PEM of the authorities that its certificate is from, and the name that it is for. With `nodes`, `upstream-ca` says that they do TLS (`ssl verify required ca-file`, `verifyhost`)", "what this machine trusts; the name in `upstream`, or that of `url` where it is an address"},
		{"`pem`, or `cert` with `key` and `chain`", "certificate; a changed file is served within seconds, or at once by SIGHUP; a broken one leaves the one before in use. A key that only root may read is renewed too: the proxy, which is not root, has a process of its own that opens these files and does nothing else", ""},
		{"`maxconn`", "requests at a server at a time (`maxconn`)", "50"},
		{"`ssh-listen`, `ssh-upstream`", "SSH, passed on unread; with `nodes` only the port of their SSH servers, `:7999`", ""},
		{"`old-path`", "former context path to redirect from", ""},
		{"`user`", "whom to become when started as root", "bitgate, else nobody"},
		{"`certificates`", "a list of further `pem`, or `cert` with `key` and `chain`: RSA beside ECDSA, other names", ""},
		{"`nodes`", "a list of `name` and `address`, instead of `upstream` (`server`)", ""},
		{"`balance`", "`leastconn` or `roundrobin`", "leastconn"},
		{"`cookie`", "name of a cookie that binds a client to a node (`cookie NAME insert indirect nocache`)", "none"},
		{"`maxqueue`, `queue-timeout`", "how many requests may wait in all, and how long (`timeout queue`). Clients take turns: who sends many requests waits behind his own, and gives way where no more may wait", "1024, 1m"},
		{"`retries`, `connect-timeout`", "attempts after a failed connection, and the time for one (`retries`, `timeout connect`)", "3, 5s"},
		{"`slowstart`", "how long a returning node takes to its full share (`slowstart`)", "0"},
		{"`health-path`, `check-timeout`", "status page to ask, or `none`, and how long it may take (`timeout check`)", "the context path's /status, 10s"},
		{"`health-interval`, `health-fastinter`, `health-downinter`", "between checks; while in doubt; while down (`inter`, `fastinter`, `downinter`)", "2s"},
		{"`health-rise`, `health-fall`", "good checks that bring a server up, bad ones that take it down (`rise`, `fall`)", "2, 3"},
		{"`http-request-timeout`, `http-keep-alive-timeout`", "a request's whole head; between two requests (`timeout http-request`, `timeout http-keep-alive`). A balancer in front must close idle connections first: its own idle time must be shorter", "10s, 75s"},
		{"`idle-timeout`, `tunnel-timeout`, `drain-timeout`", "no byte either way; the same for WebSocket and SSH; how long a stop waits for what is open", "15m, 1h, 10m"},
		{"`max-header`", "bytes of a request's line and headers, 4096 to 65536; more is answered 431. What Bitbucket itself takes of that, for Kerberos tickets and large cookies, is said there (`server.max-http-header-size`, `maxHttpHeaderSize`) (`tune.bufsize`)", "65536"},
		{"`acme-thumbprint`", "of an ACME account's key: authorities that validate by http-01 are answered with it, on every listener", ""},
		{"`acme-renewer`", "address at which another program answers such authorities while it renews the certificate (certbot, `http01_port`): `redirect-listen` passes on to it what they ask", "none"},
		{"`acme-only`", "`redirect-listen` answers such authorities alone and redirects nobody", "false"},
		{"`acme-challenges`", "a folder in which `NAME.pem` lies while an authority validates NAME by tls-alpn-01", ""},
		{"`redirect-hosts`", "further names of this server, a former one for example, whose requests are sent on to `url` with path and method", "the names that the certificates hold, and the first label of the host in `url`"},
		{"`hosts`", "further names that are served as the one of `url`; Bitbucket is asked under that name. The certificate has to hold them", "none"},
		{"`allow`, `deny`", "lists of `PATH=NETWORK`, the path below the context path: of an `allow` path only these networks may ask, of a `deny` path these may not; `/` is everything. Administration is at `/admin`, `/rest/api/1.0/admin`, `/rest/api/latest/admin` and `/plugins/servlet/upm`. A path counts as Bitbucket understands it, however it is written (`http-request deny`)", "none"},
		{"`client-ca`, `client-cert`", "PEM of the authorities of clients' certificates, and whether clients must have one (`required`, `optional`). Bitbucket is told `X-SSL-Client-Verify`, `X-SSL-Client-S-DN`, `X-SSL-Client-CN` and `Client-Cert` (RFC 9440); what clients say under these names is dropped (`ca-file`, `verify`)", "none, required"},
		{"`maintenance-page`", "HTML file of up to 15 KiB that browsers get while Bitbucket is down; git and REST clients get their own words. Read at the start and by a reload (`http-error status 503`)", "a sentence"},
		{"`plain-listen`", "address where `trusted-proxies` that end TLS themselves speak plain HTTP, and nobody else; what they do not say came by HTTPS (`X-Forwarded-Proto`) is sent there", "none"},
		{"`health-listen`", "address that answers `/healthz`, 200 while a server is up, else 503, and shows nothing else (`monitor-uri`)", "none"},
		{"`response-headers`", "names and values to set in every answer, in place of Bitbucket's (`http-response set-header`)", "none"},
		{"`limit-connections`, `limit-rate`, `limit-burst`", "connections, requests a second and requests at once of one client (an IPv6 client is its /64; a trusted proxy has no limit)", "a quarter of all connections, no limit"},
		{"`max-connections`", "connections of all clients (global `maxconn`); more wait in the kernel. Fewer where the limit of open files leaves less beside a reserve for servers, logs and checks", "10000"},
		{"`hsts`", "how long browsers come over HTTPS only, `8760h` for a year. They cannot be made to forget it", "off"},
		{"`trusted-proxies`", "networks whose `X-Forwarded-For` is believed, with ports and brackets too, or else `Forwarded` (RFC 7239)", "none"},
		{"`proxy-protocol`", "trusted proxies speak the PROXY protocol to us, on all addresses, and must (`accept-proxy`)", "no"},
		{"`ssh-proxy-protocol`", "`v1` or `v2` towards Bitbucket's SSH (`send-proxy`, `send-proxy-v2`)", "none"},
		{"`access-log`, `access-log-format`", "file, which SIGHUP, SIGUSR1 and SIGUSR2 open anew (logrotate), `-` for standard error; `httplog` (HAProxy's `option httplog` with the user agent captured; queries left out; why something was refused follows, with the name asked for) or `json`", "-, httplog"},
		{"`metrics-listen`", "address, or `unix:/path`, of `/metrics` (Prometheus), `/` (status page) and `/healthz`", "none"},
		{"`http2`", "`false` offers HTTP/1.1 only; see \"When a push hangs\"", "`true`"},
		{"`handover`", "path of a socket, `/run/bitgate/handover.sock` for one, at which the next process is given the bound sockets (`expose-fd listeners`, `-x`)", "none"},
	}
}
