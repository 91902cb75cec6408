package h2_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// goClient is Go's, which is golang.org/x/net/http2, without TLS.
func goClient(t *testing.T) *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

func TestGoClient(t *testing.T) {
	c, base := goClient(t), "http://"+(&server{t: t, answer: content}).listen()
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			for _, n := range []string{"0", "1", "16384", "16385", "1000000"} {
				res, err := c.Get(base + "/" + n)
				if err != nil {
					t.Error(err)
					return
				}
				data, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.Header.Get("Content-Length") != n || len(data) > 0 && data[len(data)-1] != byte(len(data)-1) {
					t.Errorf("/%s: %d bytes, %v", n, len(data), err)
				}
			}
			var body io.Reader = strings.NewReader(strings.Repeat("x", 10_000*i))
			if i%2 == 0 {
				body = io.MultiReader(body) // of a length that is not known
			}
			res, err := c.Post(base+"/upload", "text/plain", body)
			if err != nil {
				t.Error(err)
				return
			}
			answer, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if want := "POST /upload " + strconv.Itoa(10_000*i) + "\n"; string(answer) != want {
				t.Errorf("%q, want %q", answer, want)
			}
		})
	}
	all.Wait()
	res, err := c.Head(base + "/5")
	if err != nil || res.ContentLength != 5 {
		t.Errorf("HEAD: %v %v", res, err)
	}
}

func TestCurl(t *testing.T) {
	curl := peers.Path(t, "curl")
	base := "http://" + (&server{t: t, answer: content}).listen()
	file := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(file, bytes.Repeat([]byte("u"), 3_000_000), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"GET /x 0\n":        {"/x"},
		"POST /x 3\n":       {"/x", "-d", "abc"},
		"PUT /x 3000000\n":  {"/x", "-T", file},
		"POST /c 3000000\n": {"/c", "-T", file, "-X", "POST", "-H", "Content-Length:"},
	} {
		out, err := exec.Command(curl, append([]string{"-sS", "--max-time", "20", "--http2-prior-knowledge", base + args[0]}, args[1:]...)...).CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("%q: %v %q, want %q", args, err, out, want)
		}
	}
	out, err := exec.Command(curl, "-sS", "--max-time", "20", "--http2-prior-knowledge", "-o", os.DevNull, "-w", "%{http_version} %{http_code} %{size_download}\n", base+"/2000000").CombinedOutput()
	if err != nil || string(out) != "2 200 2000000\n" {
		t.Errorf("%v %q", err, out)
	}
}

func TestNghttp(t *testing.T) {
	nghttp := peers.Path(t, "nghttp")
	base := "http://" + (&server{t: t, answer: content}).listen()
	// A table of size 0, small windows, padding, many streams, and back.
	for _, options := range [][]string{{"--header-table-size=0"}, {"-w", "4", "-W", "16"}, {"-b", "200"}, {"-m", "20"}, {"--no-dep"}} {
		args := append([]string{"-nv", "-t", "20s"}, append(options, base+"/5000")...)
		out, err := exec.Command(nghttp, args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), ":status: 200") || !regexp.MustCompile(`(?s)recv DATA.*END_STREAM`).Match(out) || strings.Contains(string(out), "recv RST_STREAM") {
			t.Errorf("%q: %v\n%s", options, err, out)
		}
	}
	// Six headers of 4 KiB, over CONTINUATION.
	out, err := exec.Command(nghttp, "-nv", "-t", "20s", "--continuation", base+"/x").CombinedOutput()
	if err != nil || !strings.Contains(string(out), ":status: 431") {
		t.Errorf("--continuation: %v, no 431 in %d bytes", err, len(out))
	}
}

func TestH2load(t *testing.T) {
	h2load := peers.Path(t, "h2load")
	base := "http://" + (&server{t: t, answer: content}).listen()
	for _, options := range [][]string{{"-n", "5000", "-c", "16", "-m", "4"}, {"-n", "5000", "-c", "2", "-m", "100"}, {"-n", "200", "-c", "4", "-m", "10", "-d", largeFile(t)}} {
		args := append([]string{"-t", "1", "-N", "20"}, append(options, base+"/1024")...)
		out, err := exec.Command(h2load, args...).CombinedOutput()
		if want := options[1] + " succeeded, 0 failed, 0 errored"; err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v\n%s", options, err, out)
		}
	}
}

// largeFile is longer than the windows a stream begins and goes on with.
func largeFile(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(path, make([]byte, 700_000), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
