package metrics

import (
	"bytes"
	"io"
	"strconv"

	"bitgate/proxy/record"
)

// ContentType of what WritePrometheus writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// causes that are told, in the words of a label.
var causes = []struct {
	cause record.Cause
	label string
}{
	{record.Client, "client"},
	{record.ClientTimeout, "client_timeout"},
	{record.Server, "server"},
	{record.ServerTimeout, "server_timeout"},
	{record.Refused, "refused"},
	{record.Resource, "limit"},
	{record.Local, "local"},
	{record.Killed, "stopped"},
}

// WritePrometheus writes all metrics.
func (c *Counters) WritePrometheus(w io.Writer, s State) error {
	var t text
	t.metric("bitgate_build_info", "gauge", "The version that runs.")
	t.sample("bitgate_build_info", 1, "version", s.Version)
	t.one("bitgate_uptime_seconds", "gauge", "Seconds since the start.", s.Uptime)
	t.one("bitgate_draining", "gauge", "1 while it stops.", truth(s.Draining))
	t.one("bitgate_connections_total", "counter", "Client connections accepted.", float64(c.connections.Load()))
	t.one("bitgate_connections", "gauge", "Client connections that are open.", float64(s.Connections))
	t.one("bitgate_open", "gauge", "Requests, tunnels and SSH connections that are open.", float64(s.Open))
	t.one("bitgate_ssh_connections", "gauge", "SSH connections that are open.", float64(s.SSH))
	t.one("bitgate_limited_total", "counter", "Connections and requests refused by the limits of one client.", float64(c.limited.Load()))
	t.one("bitgate_faults_total", "counter", "Connections ended by a fault in bitgate itself; the log has each.", float64(c.faults.Load()))
	t.metric("bitgate_http_responses_total", "counter", "Answers by class of status; other is none.")
	for i := range c.answers {
		code := "other"
		if i > 0 {
			code = strconv.Itoa(i) + "xx"
		}
		t.sample("bitgate_http_responses_total", float64(c.answers[i].Load()), "code", code)
	}
	t.metric("bitgate_http_own_responses_total", "counter", "Answers in the proxy's own name: refusals, redirects, errors; the others are Bitbucket's.")
	for status := range c.own {
		if n := c.own[status].Load(); n > 0 {
			t.sample("bitgate_http_own_responses_total", float64(n), "code", strconv.Itoa(status))
		}
	}
	t.metric("bitgate_connections_refused_total", "counter", "Connections that ended before a request, by why.")
	for i, why := range away {
		t.sample("bitgate_connections_refused_total", float64(c.turnedAway[i].Load()), "reason", why)
	}
	t.metric("bitgate_http_ended_early_total", "counter", "Exchanges that did not end normally, by who ended them.")
	for _, e := range causes {
		t.sample("bitgate_http_ended_early_total", float64(c.early[e.cause].Load()), "by", e.label)
	}
	t.one("bitgate_sent_bytes_total", "counter", "Bytes sent to clients over HTTP.", float64(c.bytesSent.Load()))
	t.one("bitgate_received_bytes_total", "counter", "Bytes received from clients over HTTP.", float64(c.bytesReceived.Load()))
	t.one("bitgate_retries_total", "counter", "Further attempts to connect to a server.", float64(c.retries.Load()))
	t.one("bitgate_redispatches_total", "counter", "Requests sent to another server than first chosen.", float64(c.redispatches.Load()))
	t.histogram("bitgate_http_duration_seconds", "From a request's first byte to the end of its answer.", &c.total)
	t.histogram("bitgate_http_queue_seconds", "Waiting for a place at a server.", &c.queue)
	t.one("bitgate_queue", "gauge", "Requests waiting for any server.", float64(s.Queued))
	t.one("bitgate_server_limit", "gauge", "Requests that a server gets at a time (maxconn).", float64(s.MaxConn))
	t.servers(s.Servers)
	t.metric("bitgate_certificate_expires_seconds", "gauge", "When a certificate ends, Unix time.")
	for _, cert := range s.Certs {
		t.sample("bitgate_certificate_expires_seconds", float64(cert.Expires), "names", cert.Names, "key", cert.Key)
	}
	if s.Renewal != nil {
		t.renewal(*s.Renewal)
	}
	_, err := w.Write(t.b.Bytes())
	return err
}

// WriteRenewal writes the metrics of a certificate alone: behind another front, a
// collector of files (textfile of Prometheus's node exporter) has them.
func WriteRenewal(w io.Writer, r Renewal, ends []End) error {
	var t text
	t.metric("bitgate_certificate_not_after_seconds", "gauge", "When the certificate ends, Unix time: that of the file, and what each address shows.")
	for _, e := range ends {
		t.sample("bitgate_certificate_not_after_seconds", float64(e.At), "host", r.Host, "source", e.Source)
	}
	t.renewal(r)
	_, err := w.Write(t.b.Bytes())
	return err
}

func (t *text) renewal(r Renewal) {
	t.metric("bitgate_renewal_failures", "gauge", "Attempts to renew the certificate that failed since the last success.")
	t.sample("bitgate_renewal_failures", float64(r.Failures), "host", r.Host)
	if r.LastGood > 0 {
		t.metric("bitgate_renewal_last_success_seconds", "gauge", "When the certificate was last renewed, Unix time.")
		t.sample("bitgate_renewal_last_success_seconds", float64(r.LastGood), "host", r.Host)
	}
}

func (t *text) servers(servers []Server) {
	for _, m := range []struct {
		name, help string
		value      func(Server) float64
	}{
		{"bitgate_server_up", "1 while its health checks are good.", func(s Server) float64 { return truth(s.Up) }},
		{"bitgate_server_requests", "Requests at the server.", func(s Server) float64 { return float64(s.Active) }},
		{"bitgate_server_queue", "Requests waiting for this server.", func(s Server) float64 { return float64(s.Queued) }},
	} {
		t.metric(m.name, "gauge", m.help)
		for _, s := range servers {
			t.sample(m.name, m.value(s), "server", s.Name)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// text is the exposition format.
type text struct{ b bytes.Buffer }

func (t *text) metric(name, kind, help string) {
	t.b.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
}

// one is a metric with a single sample.
func (t *text) one(name, kind, help string, value float64) {
	t.metric(name, kind, help)
	t.sample(name, value)
}

// sample writes one line; labels are name, value, name, value.
func (t *text) sample(name string, value float64, labels ...string) {
	t.b.WriteString(name)
	for i := 0; i < len(labels); i += 2 {
		t.b.WriteByte("{,"[min(i, 1)])
		t.b.WriteString(labels[i] + `="`)
		t.label(labels[i+1])
		t.b.WriteByte('"')
	}
	if len(labels) > 0 {
		t.b.WriteByte('}')
	}
	t.b.WriteByte(' ')
	t.b.Write(strconv.AppendFloat(t.b.AvailableBuffer(), value, 'f', -1, 64))
	t.b.WriteByte('\n')
}

// label escapes what the format asks for: backslash, quote and newline.
func (t *text) label(value string) {
	for _, c := range []byte(value) {
		switch c {
		case '\\', '"':
			t.b.WriteByte('\\')
			t.b.WriteByte(c)
		case '\n':
			t.b.WriteString(`\n`)
		default:
			t.b.WriteByte(c)
		}
	}
}

func (t *text) histogram(name, help string, h *histogram) {
	t.metric(name, "histogram", help)
	var total uint64
	for i := range h.buckets {
		total += h.buckets[i].Load()
		bound := "+Inf"
		if i < len(bounds) {
			bound = strconv.FormatFloat(float64(bounds[i])/1000, 'f', -1, 64)
		}
		t.sample(name+"_bucket", float64(total), "le", bound)
	}
	t.sample(name+"_sum", float64(h.sum.Load())/1000)
	t.sample(name+"_count", float64(total))
}
