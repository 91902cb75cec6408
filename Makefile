# What a developer types. `make test` is what counts: it is ./test.
.PHONY: bench-start bench bench-pages bench-quick bench-growth bench-tool pictures build release test fresh race lint vulncheck golden fuzz smoke torture

FUZZTIME ?= 20s

build:
	go build -trimpath -o bitgate ./cmd/bitgate

release: # all files of a release into dist, from the checkout of its tag; tools/release -h
	tools/release

test:
	./test

fresh: # ./test in a pristine Debian that holds Go and nothing else; needs root and mmdebstrap
	tools/fresh

race: # again and again, to shake out what one run does not show
	go test -race -count=5 ./...

lint:
	tools/lint

vulncheck: # known vulnerabilities in what bitgate calls
	tools/vulncheck

golden: # rewrite the expected files; read the diff before committing
	go test $$(grep -rl --include=*_test.go "flag.Bool(\"update\"" . | xargs -n1 dirname | sort -u) -update

fuzz: # every fuzz target for FUZZTIME
	tools/fuzz $(FUZZTIME)

smoke: # the whole job on a stand-in Bitbucket, behind both fronts
	go run ./cmd/bitgate demo --yes
	go run ./cmd/bitgate demo --yes --front haproxy

torture: # killed, refused and cut off from power at every system call, abused as a proxy, compared with HAProxy; needs root and an hour
	BITGATE_TORTURE=1 ./test -v -timeout 3h ./torture ./setup/... ./internal/atomicfile ./proxy ./proxy/abuse ./e2e/order

bench-start: # how long a person waits for the first screen, and for version, and what a whole setup asks of one; needs root
	go test -count=1 -run '^$$' -bench 'Version|Screen|Found' -benchtime 20x ./e2e
	go test -count=1 -run '^$$' -bench Keystrokes -benchtime 1x -v ./e2e

pictures: # those of README and docs, of the real program on a standard installation; needs root
	go test -count=1 -run '^$$' -bench Pictures -benchtime 1x ./e2e -pictures $(CURDIR)/docs/pictures
	go test -count=1 -run '^$$' -bench Recording -benchtime 1x ./e2e -pictures $(CURDIR)/docs/pictures

# The peers run on core 0; the load, and what starts them, on the others.
BENCH = cd bench && go build -o ../.bench ./ && taskset -c 1 ../.bench

bench: # bitgate beside HAProxy, nginx, Caddy and ReverseProxy; 30 to 60 minutes, two cores, root
	$(BENCH) -out $(CURDIR)/bench

bench-quick: # whether all of that works, not how fast it is
	$(BENCH) -quick

bench-growth: # over connections, slots and loops, as plots
	$(BENCH) -growth -rounds 3 -out $(CURDIR)/bench

bench-pages: # what a person waits for: a page in Chromium, and Git, from several distances; needs chromium and root
	$(BENCH) -pages -rounds 7 -peers bitgate,haproxy-page,haproxy,nginx,caddy

bench-tool: # the command line itself
	$(BENCH) -tool -rounds 20 -peers bitgate
