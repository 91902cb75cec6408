package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tool measures the command line itself: its start, and a plan over files far
// larger than any administrator has, at several sizes to show how it grows.
func (b *bench) tool(ctx context.Context, out io.Writer) error {
	version, err := b.repeat(ctx, b.settings.Dir, b.settings.Bitgate, "version")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "bitgate version: median %v of wall time, %v of CPU, %d MB\n", version.wall, version.cpu, version.memory>>20)
	for _, c := range []struct {
		name  string
		sizes []int
		site  func(dir string, size int) ([]string, error)
	}{
		{"plan, haproxy.cfg of %d lines", []int{500, 5_000, 50_000}, largeHAProxy},
		{"plan, server.xml of %d KB", []int{50, 500, 5_000}, largeServerXML},
	} {
		for _, size := range c.sizes {
			name := fmt.Sprintf(c.name, size)
			if !b.only.MatchString(name) {
				continue
			}
			dir := filepath.Join(b.settings.Dir, fmt.Sprint("site", size))
			args, err := c.site(dir, size)
			if err != nil {
				return err
			}
			args = append([]string{
				"plan", "--exit-code", "--state-dir", filepath.Join(dir, "state"), "--pem", b.settings.PEM, "--base-url-method", "skip",
				"--restart", "never", "--reload", "never", "--front", "haproxy", "--http-redirect", "never",
			}, args...)
			rehearsed, err := b.repeat(ctx, dir, b.settings.Bitgate, args...)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s: median %v of wall time, %v of CPU with haproxy -c and the rehearsal, %d MB\n", name, rehearsed.wall, rehearsed.cpu, rehearsed.memory>>20)
			cost, err := b.unrehearsed(ctx, dir, args)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "  not rehearsed: %v of wall time, %v of CPU with haproxy -c, %d MB\n", cost.wall, cost.cpu, cost.memory>>20)
			check, err := b.repeat(ctx, dir, "haproxy", "-c", "-f", filepath.Join(dir, "haproxy.cfg"))
			if err != nil || size != slices.Max(c.sizes) {
				continue // no listener in a small file, or too little to compare
			}
			fmt.Fprintf(out, "  haproxy -c alone: %v of wall time, %v of CPU; the plan that is not rehearsed takes %.2f times as long, its own CPU is %.2f of that\n",
				check.wall, check.cpu, cost.wall.Seconds()/check.wall.Seconds(), (cost.cpu-check.cpu).Seconds()/check.cpu.Seconds())
		}
	}
	return nil
}

type cost struct {
	wall, cpu time.Duration
	memory    int64 // most bytes resident
}

// repeat runs a program as often as rounds say and returns the medians.
func (b *bench) repeat(ctx context.Context, dir, program string, args ...string) (cost, error) {
	var walls, cpus []time.Duration
	var memory int64
	for range b.rounds {
		var said bytes.Buffer
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Stdout, cmd.Stderr, cmd.Dir = &said, &said, dir
		begun := time.Now()
		err := cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 0 && code != 3 { // 3: there is something to do
			return cost{}, fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, said.Bytes())
		}
		walls = append(walls, time.Since(begun).Round(100*time.Microsecond))
		cpus = append(cpus, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Round(100*time.Microsecond))
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			memory = max(memory, usage.Maxrss<<10)
		}
	}
	slices.Sort(walls)
	slices.Sort(cpus)
	return cost{walls[len(walls)/2], cpus[len(cpus)/2], memory}, nil
}

// ordinary is a user who is not root, and for whom nothing is rehearsed.
const ordinary = 65534

// unrehearsed measures the plan as somebody who is not root sees it.
func (b *bench) unrehearsed(ctx context.Context, dir string, args []string) (cost, error) {
	whole := filepath.Dir(b.settings.Dir)
	if err := give(whole, ordinary); err != nil {
		return cost{}, err
	}
	c, err := b.repeat(ctx, dir, "setpriv", append([]string{
		"--reuid=" + strconv.Itoa(ordinary), "--regid=" + strconv.Itoa(ordinary), "--clear-groups", b.settings.Bitgate,
	}, args...)...)
	return c, errors.Join(err, give(whole, os.Geteuid()))
}

// give makes a tree a user's.
func give(tree string, uid int) error {
	return filepath.WalkDir(tree, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, uid)
	})
}

// largeHAProxy is an installation of 9.4 beside a configuration with that many lines.
func largeHAProxy(dir string, lines int) ([]string, error) {
	var cfg strings.Builder
	cfg.WriteString("global\n    maxconn 2000\n\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 50s\n    timeout server 50s\n\n")
	for i := range (lines - 9) / 10 {
		fmt.Fprintf(&cfg, "frontend site%d\n    bind 127.0.0.1:%d\n    # site %d\n    acl static path_beg /static /images\n"+
			"    use_backend site%d if static\n    default_backend site%d\n\nbackend site%d\n    server one 127.0.0.1:9 check\n\n", i, 1024+i, i, i, i, i)
	}
	return site(dir, "9.4.16", map[string]string{"haproxy.cfg": cfg.String(), "home/shared/bitbucket.properties": "setup.displayName=Bench\n"})
}

// largeServerXML is an installation of 4.14 whose server.xml has that many kilobytes.
func largeServerXML(dir string, kilobytes int) ([]string, error) {
	var xml strings.Builder
	xml.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Server port=\"8006\" shutdown=\"SHUTDOWN\">\n  <GlobalNamingResources>\n")
	for i := 0; xml.Len() < kilobytes<<10; i++ {
		fmt.Fprintf(&xml, "    <!-- entry %d -->\n    <Environment name=\"entry%d\" value=\"%d\" type=\"java.lang.Integer\" override=\"false\"/>\n", i, i, i)
	}
	xml.WriteString(`  </GlobalNamingResources>
  <Service name="Catalina">
    <Connector port="7990" protocol="HTTP/1.1" connectionTimeout="20000" redirectPort="8443"/>
    <Engine name="Catalina" defaultHost="localhost">
      <Host name="localhost" appBase="webapps" unpackWARs="true" autoDeploy="true">
        <Context path="/bitbucket" docBase="${catalina.home}/atlassian-bitbucket"/>
      </Host>
    </Engine>
  </Service>
</Server>
`)
	return site(dir, "4.14.12", map[string]string{
		"haproxy.cfg": "", "home/shared/server.xml": xml.String(), "home/shared/bitbucket.properties": "setup.displayName=Bench\n",
	})
}

func site(dir, version string, files map[string]string) ([]string, error) {
	for _, folder := range []string{"home/shared", "install/conf"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return nil, err
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	return []string{
		"--home", filepath.Join(dir, "home"), "--install", filepath.Join(dir, "install"), "--bitbucket-version", version,
		"--url", "https://bench.test/bitbucket", "--haproxy-cfg", filepath.Join(dir, "haproxy.cfg"),
	}, nil
}
