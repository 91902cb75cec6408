package metrics

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"bitgate/proxy/record"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func exchange(status int, end record.Cause, queue, total time.Duration) *record.Record {
	return &record.Record{
		Marks:  record.Marks{First: start, Head: start, Dequeued: start.Add(queue), End: start.Add(total)},
		Status: status, End: end, BytesSent: 1000, BytesRead: 10, Retries: 2, Redispatched: end == record.Server,
	}
}

func state() State {
	return State{
		Version: "1.2.3", URL: "https://git.example.com/bitbucket", Uptime: 90, Connections: 4, Open: 3, SSH: 1, Queued: 2, MaxConn: 50,
		Servers: []Server{{Name: "n1", Up: true, Active: 7}, {Name: `n"2\`, Queued: 5}},
		Certs:   []Certificate{{Names: "git.example.com", Key: "ECDSA P-256", Expires: 1800000000}},
		Renewal: &Renewal{Host: "git.example.com", Failures: 3, LastGood: 1700000000},
	}
}

func counted(t *testing.T) (*Counters, map[string]float64) {
	t.Helper()
	var c Counters
	c.Observe(exchange(200, record.Normal, 0, 7*time.Millisecond))
	c.Observe(exchange(503, record.ServerTimeout, time.Minute, time.Minute))
	c.Observe(exchange(502, record.Server, 20*time.Millisecond, 25*time.Millisecond))
	c.Observe(&record.Record{Marks: record.Marks{First: start, End: start.Add(time.Hour)}, End: record.ClientTimeout})
	c.Connection(false)
	c.Connection(true)
	c.Limited()
	c.Fault()
	var out bytes.Buffer
	if err := c.WritePrometheus(&out, state()); err != nil {
		t.Fatal(err)
	}
	samples, err := parse(out.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return &c, samples
}

var sampleLine = regexp.MustCompile(`^([a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (\S+)$`)

// parse reads the exposition format strictly: each sample belongs to the metric
// declared before it, none comes twice.
func parse(text string) (map[string]float64, error) {
	samples := map[string]float64{}
	declared := map[string]bool{}
	current := ""
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			current, _, _ = strings.Cut(name, " ")
			if declared[current] {
				return nil, fmt.Errorf("%s declared twice", current)
			}
			declared[current] = true
			continue
		}
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil || current == "" || !strings.HasPrefix(m[1], current) {
			return nil, fmt.Errorf("bad sample %q under %q", line, current)
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, err
		}
		if _, twice := samples[m[1]+m[2]]; twice {
			return nil, fmt.Errorf("twice: %q", line)
		}
		samples[m[1]+m[2]] = value
	}
	return samples, nil
}

func TestPrometheus(t *testing.T) {
	_, got := counted(t)
	for name, want := range map[string]float64{
		`bitgate_build_info{version="1.2.3"}`:                                            1,
		`bitgate_http_responses_total{code="2xx"}`:                                       1,
		`bitgate_http_responses_total{code="5xx"}`:                                       2,
		`bitgate_http_responses_total{code="other"}`:                                     1,
		`bitgate_http_ended_early_total{by="server"}`:                                    1,
		`bitgate_http_ended_early_total{by="server_timeout"}`:                            1,
		`bitgate_http_ended_early_total{by="client_timeout"}`:                            1,
		`bitgate_http_ended_early_total{by="client"}`:                                    0,
		`bitgate_sent_bytes_total`:                                                       3000,
		`bitgate_received_bytes_total`:                                                   30,
		`bitgate_retries_total`:                                                          6,
		`bitgate_redispatches_total`:                                                     1,
		`bitgate_connections_total`:                                                      2,
		`bitgate_limited_total`:                                                          2,
		`bitgate_faults_total`:                                                           1,
		`bitgate_http_duration_seconds_bucket{le="0.005"}`:                               0,
		`bitgate_http_duration_seconds_bucket{le="0.01"}`:                                1,
		`bitgate_http_duration_seconds_bucket{le="0.025"}`:                               2,
		`bitgate_http_duration_seconds_bucket{le="900"}`:                                 3,
		`bitgate_http_duration_seconds_bucket{le="+Inf"}`:                                4,
		`bitgate_http_duration_seconds_count`:                                            4,
		`bitgate_http_duration_seconds_sum`:                                              3660.032,
		`bitgate_http_queue_seconds_count`:                                               3,
		`bitgate_server_up{server="n1"}`:                                                 1,
		`bitgate_server_up{server="n\"2\\"}`:                                             0,
		`bitgate_server_requests{server="n1"}`:                                           7,
		`bitgate_server_queue{server="n\"2\\"}`:                                          5,
		`bitgate_queue`:                                                                  2,
		`bitgate_open`:                                                                   3,
		`bitgate_draining`:                                                               0,
		`bitgate_certificate_expires_seconds{names="git.example.com",key="ECDSA P-256"}`: 1800000000,
		`bitgate_renewal_failures{host="git.example.com"}`:                               3,
		`bitgate_renewal_last_success_seconds{host="git.example.com"}`:                   1700000000,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v (present: %v), want %v", name, value, ok, want)
		}
	}
}

// TestWriteRenewal: what whoever collects files has of a certificate behind any front.
func TestWriteRenewal(t *testing.T) {
	var out bytes.Buffer
	err := WriteRenewal(&out, Renewal{Host: "git.example.com"}, []End{{"file", 1800000000}, {"127.0.0.1:443", 1700000000}})
	got, bad := parse(out.String())
	if err != nil || bad != nil {
		t.Fatalf("%v, %v\n%s", err, bad, out.String())
	}
	for name, want := range map[string]float64{
		`bitgate_certificate_not_after_seconds{host="git.example.com",source="file"}`:          1800000000,
		`bitgate_certificate_not_after_seconds{host="git.example.com",source="127.0.0.1:443"}`: 1700000000,
		`bitgate_renewal_failures{host="git.example.com"}`:                                     0,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v (present: %v), want %v", name, value, ok, want)
		}
	}
	if len(got) != 3 {
		t.Errorf("a renewal that never was: %v", got)
	}
}

func TestPage(t *testing.T) {
	c, _ := counted(t)
	s := state()
	s.Draining = true
	s.Servers[1].Name = "<script>"
	var out bytes.Buffer
	if err := c.WritePage(&out, s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"https://git.example.com/bitbucket", "7 of 50", "<strong>down</strong>", "stopping", "1m30s", "2027-01-15", "5xx: 2", "&lt;script&gt;"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestWriteFails(t *testing.T) {
	var c Counters
	if c.WritePrometheus(broken{}, State{}) == nil || c.WritePage(broken{}, State{}) == nil {
		t.Error("a failed write goes unnoticed")
	}
}
