// Package load puts bounded load on one proxy and says how many units of work
// were done. Every function checks what it got: an error, a status other than
// 200 or a missing byte makes the whole measurement void.
package load

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"bitgate/bench/standin"
)

// Host is the name in every request and certificate.
const Host = "bench.test"

// command runs a load program, which must end well within its bounds.
func command(ctx context.Context, bound time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, bound+20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return string(out), nil
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in ([\d.]+)(ms|s|m), ([\d.]+)(B|KB|MB|GB) read`)
	wrkErrors   = regexp.MustCompile(`(?m)^.*(Socket errors|Non-2xx).*$`)
)

// HTTP1 asks for one path over the given number of keep-alive connections, for longer
// where a busy machine answers nothing in that time. The unit is a request.
func HTTP1(ctx context.Context, address, path string, connections int, length time.Duration) (float64, error) {
	for most := 16 * length; ; length *= 2 {
		requests, err := wrk(ctx, address, path, connections, length)
		switch {
		case err != nil || requests > 0:
			return requests, err
		case length >= most:
			return 0, fmt.Errorf("not one request was answered in %v", length)
		}
	}
}

func wrk(ctx context.Context, address, path string, connections int, length time.Duration) (float64, error) {
	out, err := command(ctx, length, "wrk", "-t1", "-c", strconv.Itoa(connections), "-d", seconds(length), "--timeout", "20s",
		"-H", "Host: "+Host, "https://"+address+path)
	if err != nil {
		return 0, err
	}
	if bad := wrkErrors.FindString(out); bad != "" {
		return 0, fmt.Errorf("wrk: %s", strings.TrimSpace(bad))
	}
	m := wrkRequests.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk said nothing that is understood:\n%s", out)
	}
	requests, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, err
	}
	read, err := strconv.ParseFloat(m[4], 64)
	if err != nil {
		return 0, err
	}
	read *= map[string]float64{"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}[m[5]]
	if want := requests * float64(bodySize(path)); read < want*0.99 { // wrk rounds to two decimals
		return 0, fmt.Errorf("wrk read %.0f bytes for %.0f requests; their bodies alone have %.0f", read, requests, want)
	}
	return requests, nil
}

var (
	h2Status  = regexp.MustCompile(`status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx`)
	h2Failed  = regexp.MustCompile(`(\d+) failed, (\d+) errored, (\d+) timeout`)
	h2Traffic = regexp.MustCompile(`\((\d+)\) data`)
)

// HTTP2 asks n times for one path, over connections with several streams each at
// a time. The unit is a request.
func HTTP2(ctx context.Context, address, path string, connections, streams, n int) (float64, error) {
	out, err := command(ctx, time.Minute, "h2load", "-t1", "-c", strconv.Itoa(connections), "-m", strconv.Itoa(streams),
		"-n", strconv.Itoa(n), "--connect-to", address, "https://"+Host+path)
	if err != nil {
		return 0, err
	}
	status, failed, traffic := h2Status.FindStringSubmatch(out), h2Failed.FindStringSubmatch(out), h2Traffic.FindStringSubmatch(out)
	if status == nil || failed == nil || traffic == nil {
		return 0, fmt.Errorf("h2load said nothing that is understood:\n%s", out)
	}
	if status[2] != "0" || status[3] != "0" || status[4] != "0" || failed[1] != "0" || failed[2] != "0" || failed[3] != "0" {
		return 0, fmt.Errorf("h2load: %s; %s", status[0], failed[0])
	}
	requests, err := strconv.ParseFloat(status[1], 64)
	if err != nil {
		return 0, err
	}
	data, err := strconv.ParseFloat(traffic[1], 64)
	if err != nil {
		return 0, err
	}
	if requests != float64(n) || data < requests*float64(bodySize(path))*0.99 {
		return 0, fmt.Errorf("h2load read %.0f bytes of data for %.0f requests", data, requests)
	}
	return requests, nil
}

// Clone downloads the pack, over HTTP/2 if asked. The unit is a megabyte (2^20).
func Clone(ctx context.Context, address string, http2 bool) (float64, error) {
	return curl(ctx, address, http2, standin.PackPath, "%{size_download}", standin.PackBody)
}

// Push uploads the file in chunks. The unit is a megabyte (2^20).
func Push(ctx context.Context, address string, http2 bool, file string, size int64) (float64, error) {
	args := []string{"-X", "POST", "-T", file, "-H", "Expect:"}
	if !http2 {
		args = append(args, "-H", "Transfer-Encoding: chunked")
	}
	return curl(ctx, address, http2, standin.PushPath, "%{size_upload}", size, args...)
}

func curl(ctx context.Context, address string, http2 bool, path, size string, want int64, args ...string) (float64, error) {
	version, number := "--http1.1", "1.1"
	if http2 {
		version, number = "--http2", "2"
	}
	args = append([]string{
		"-sS", "-k", version, "-o", "/dev/null", "--max-time", "60", "--connect-to", Host + ":443:" + address,
		"-w", "%{http_code} %{http_version} " + size,
	}, args...)
	out, err := command(ctx, time.Minute, "curl", append(args, "https://"+Host+path)...)
	if err != nil {
		return 0, err
	}
	var status, moved int64
	var spoken string
	if _, err := fmt.Sscan(out, &status, &spoken, &moved); err != nil {
		return 0, fmt.Errorf("curl said %q: %w", out, err)
	}
	if status != 200 || spoken != number || moved < want { // an upload's chunk heads are counted too
		return 0, fmt.Errorf("curl: status, version and bytes are %q instead of 200 %s %d", out, number, want)
	}
	return float64(want) / (1 << 20), nil
}

func bodySize(path string) int {
	switch path {
	case standin.SmallPath:
		return standin.SmallBody
	case standin.PagePath:
		return standin.PageBody
	}
	return 0
}

func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int(d.Round(time.Second)/time.Second))) + "s"
}

var errNotTLS13 = errors.New("the peer did not speak TLS 1.3")
