package stage_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bitgate/haproxy"
	"bitgate/haproxy/live/stage"
	"bitgate/haproxy/rehearsal"
	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
)

// harmful is a configuration that would reach for everything: a server, a log, a
// peer and a name of this machine, sockets in its folder, and a stats socket.
const harmful = `global
    maxconn 100
    log 127.0.0.1:%[1]d local0
    log DIR/log.sock local0
    stats socket DIR/stats.sock
    server-state-base DIR
    pidfile DIR/haproxy.pid
defaults
    mode http
    log global
    option httplog
    timeout connect 2s
    timeout client 5s
    timeout server 5s
peers all
    peer other 127.0.0.1:%[1]d
frontend www
    bind :443 ssl crt DIR/www.pem crt DIR/git.pem
    bind DIR/front.sock
    use_backend bitbucket if { hdr(host),field(1,:) -i git.example.com } { path_beg /bitbucket/ }
    default_backend site
backend site
    server s 127.0.0.1:%[1]d check
    server u unix@DIR/app.sock check backup
backend bitbucket
    server b 127.0.0.1:7990 check
`

// TestNoHarm: nothing of the machine hears of rehearsals, some of them killed at
// some point, and nothing of them is left. BITGATE_TORTURE=1 makes 200 of them.
func TestNoHarm(t *testing.T) {
	dir := folder(t)
	rounds, kills := 12, 4
	if os.Getenv("BITGATE_TORTURE") != "" {
		rounds, kills = 200, 20
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tcp.Close() })
	port := tcp.Addr().(*net.TCPAddr).Port
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { udp.Close() })
	heard := make(chan string, 100)
	go hear(tcp, "TCP", heard)
	go hearPackets(udp, "a log", heard)
	for _, name := range []string{"app.sock", "stats.sock", "front.sock"} {
		l, err := net.Listen("unix", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go hear(l, name, heard)
	}
	log, err := net.ListenPacket("unixgram", filepath.Join(dir, "log.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	go hearPackets(log, "log.sock", heard)
	capture := listenAll(t)

	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("www.pem", bundle(t, "www.example.org"))
	text := []byte(strings.ReplaceAll(fmt.Sprintf(harmful, port), "DIR", dir))
	before := bytes.Replace(text, []byte(" crt "+dir+"/git.pem"), nil, 1)
	before = bytes.Replace(before, []byte("    use_backend bitbucket if { hdr(host),field(1,:) -i git.example.com } { path_beg /bitbucket/ }\n"), nil, 1)
	write("haproxy.cfg", before)
	url, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	watch := watchAll(t, dir)
	r := stage.Rehearsal{
		Program: self(t), Bin: peers.Path(t, "haproxy"),
		Before: []haproxy.Source{{Path: filepath.Join(dir, "haproxy.cfg"), Data: before}}, After: []haproxy.Source{{Path: filepath.Join(dir, "haproxy.cfg"), Data: text}},
		New:       []stage.File{{Path: filepath.Join(dir, "git.pem"), Data: bundle(t, "git.example.com")}},
		Bitbucket: rehearsal.Bitbucket{URL: url, Upstreams: []string{"127.0.0.1:7990"}},
	}
	passed := 0
	for n := range rounds {
		if n%(rounds/kills) == 0 {
			killed(t, dir)
			continue
		}
		report := r.Run(t.Context())
		if passed++; !report.Rehearsed || !report.OK() {
			t.Errorf("round %d: %s %+v", n, report.Summary(), report.Findings)
		}
	}
	t.Logf("HARM\t%d rehearsals, %d of them to the end", rounds, passed)
	select {
	case what := <-heard:
		t.Errorf("the machine heard of it: %s", what)
	default:
	}
	for _, e := range watch() {
		t.Errorf("a file was written: %s", e)
	}
	if n := capture(); n > 0 {
		t.Errorf("%d packets of the stages' addresses passed this machine's interfaces", n)
	}
	if conn, err := net.Dial("tcp", "127.90.0.1:1"); err == nil {
		conn.Close()
	}
	peers.WaitFor(t, "the capture to hear of a connection to such an address", func() bool { return capture() > 0 })
	peers.WaitFor(t, "all processes of the stages to be gone", func() bool { return running(t, dir) == 0 })
	if mounts, err := os.ReadFile("/proc/self/mounts"); err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("mounts are left: %v", err)
	}
}

func hear(l net.Listener, what string, heard chan<- string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		conn.Close()
		heard <- what
	}
}

func hearPackets(c net.PacketConn, what string, heard chan<- string) {
	b := make([]byte, 100)
	for {
		n, _, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		heard <- what + ": " + string(b[:n])
	}
}

// listenAll captures on all interfaces, and counts packets with an address that
// only stages have.
func listenAll(t *testing.T) func() int {
	t.Helper()
	const protocol = unix.ETH_P_IP >> 8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}); err != nil {
		t.Fatal(err)
	}
	ours := [][]byte{{203, 0, 113}, {198, 51, 100}, {127, 90}} // the machine itself may have one of 192.0.2.0/24
	var found atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		b := make([]byte, 2048)
		for {
			select {
			case <-stop:
				return
			default:
			}
			n, _, err := unix.Recvfrom(fd, b, 0)
			if err == nil && n >= 20 && slices.ContainsFunc(ours, func(p []byte) bool { return bytes.HasPrefix(b[12:16], p) || bytes.HasPrefix(b[16:20], p) }) {
				if found.Add(1) <= 3 {
					t.Logf("protocol %d, %v to %v: % x", b[9], net.IP(b[12:16]), net.IP(b[16:20]), b[20:min(n, 60)])
				}
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
		if lost, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err != nil || lost.Drops > 0 {
			t.Errorf("the capture lost packets: %+v, %v", lost, err)
		}
		unix.Close(fd)
	})
	return func() int { return int(found.Load()) }
}

// watchAll tells of whatever is made, written or removed in a folder (inotify(7)).
func watchAll(t *testing.T, dir string) func() []string {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	for _, d := range []string{dir, "/run", "/etc", "/dev"} {
		if _, err := unix.InotifyAddWatch(fd, d, unix.IN_CREATE|unix.IN_DELETE|unix.IN_MODIFY|unix.IN_ATTRIB|unix.IN_MOVE); err != nil {
			t.Fatal(err)
		}
	}
	return func() []string {
		var out []string
		b := make([]byte, 64<<10)
		n, err := unix.Read(fd, b)
		for at := 0; err == nil && at+unix.SizeofInotifyEvent <= n; {
			length := int(b[at+12]) | int(b[at+13])<<8
			name := string(bytes.TrimRight(b[at+unix.SizeofInotifyEvent:at+unix.SizeofInotifyEvent+length], "\x00"))
			if strings.Contains(name, "haproxy") || strings.Contains(name, "bitgate") || strings.HasSuffix(name, ".pem") || strings.HasSuffix(name, ".sock") {
				out = append(out, name)
			}
			at += unix.SizeofInotifyEvent + length
		}
		return out
	}
}

// killed rehearses in a process that is killed at some point. The suite finds
// what it leaves running.
func killed(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command(program, "rehearse", "--haproxy-cfg", filepath.Join(dir, "haproxy.cfg"), "--candidate", filepath.Join(dir, "haproxy.cfg"), "--url", "https://git.example.com/bitbucket")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(rand.IntN(800)) * time.Millisecond) // a point that nobody chose
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
}

// running counts the processes that were started for a folder.
func running(t *testing.T, dir string) int {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, l := range lines {
		if data, err := os.ReadFile(l); err == nil && bytes.Contains(data, []byte(dir)) {
			n++
		}
	}
	return n
}
