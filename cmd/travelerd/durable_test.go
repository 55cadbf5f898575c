package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"traveler.example/agent"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// TestDurableBeforeVisible runs a gateway under strace and holds every light that
// claims a record to the promise: between the read of the tag's last byte and
// the write of the light, the bytes of its block were flushed, successfully, in
// the file of the replica where they lie.
//
// The same gateway with sync writes off must fail the same check.
func TestDurableBeforeVisible(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the daemon under strace: left out with -short")
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: apt-get install strace")
	}
	t.Run("synced", func(t *testing.T) {
		t.Parallel()
		if err := traceScans(t, strace, ""); err != nil {
			t.Error(err)
		}
	})
	t.Run("unsynced", func(t *testing.T) {
		t.Parallel()
		err := traceScans(t, strace, "[ledger]\nunsafe_no_sync = true\n")
		if !errors.Is(err, errNotFlushed) {
			t.Errorf("without sync writes the check says %v, want %v", err, errNotFlushed)
		}
	})
}

var errNotFlushed = errors.New("light shown before its block was flushed")

// straced are the system calls that the check looks at.
var straced = []string{
	"-f", "-y", "-ttt", "-s", "400", "-e", "signal=none", "-e", "trace=read,write,openat,mmap,munmap,mremap,msync,fdatasync,fsync",
}

// claim is a light that claims a record.
type claim struct{ word, tag string }

// traceScans runs an intake and a drilling station under strace, takes items
// through both and checks every light that claims a record.
func traceScans(t *testing.T, strace, more string) error {
	p := newPlant(t)
	broker := broker(mosquitto(t))
	intake := p.gateway("g-intake", "INTAKE-1", "intake", "[intake]\norder = \"PO-1\"\n"+broker+more)
	drilling := p.gateway("g-drilling", "DRILL-1", "drilling", broker+more)
	traces := map[*gateway]string{intake: filepath.Join(t.TempDir(), "intake"), drilling: filepath.Join(t.TempDir(), "drilling")}
	for _, g := range []*gateway{intake, drilling} {
		g.plug()
		g.start(append([]string{strace, "-o", traces[g]}, straced...)...)
		g.ready()
	}
	intake.order(drillAndPack())
	tags := []string{"04A1B2C3D4E581", "04A1B2C3D4E582", "DEADBEEF"}
	for _, tag := range tags {
		intake.scan(tag, "TAKEN IN")
		drilling.knows(tag)
		drilling.scan(tag, "ACCEPTED")
		drilling.scan(tag, "COMPLETED")
	}
	blocks := map[claim][]byte{}
	for g, trace := range traces {
		g.kill()
		blocksOf(t, p, g, blocks)
		text, err := os.ReadFile(trace)
		ok(t, err)
		if err := checkLights(g, parseTrace(t, string(text)), blocks, len(tags)); err != nil {
			return err
		}
	}
	return nil
}

// blocksOf reads a replica back: the raw bytes of the block behind each claim.
func blocksOf(t *testing.T, p *plant, g *gateway, blocks map[claim][]byte) {
	t.Helper()
	r, err := replica.Open(filepath.Join(g.dir, agent.DataName), replica.Options{Genesis: p.Genesis, ReadOnly: true, TempDir: t.TempDir()})
	ok(t, err)
	defer r.Close() //nolint:errcheck // a private copy
	ok(t, r.Read(func(v *replica.View) error {
		for it, err := range v.Items(ledger.ItemID{}, 1000) {
			if err != nil {
				return err
			}
			for _, n := range it.Nodes {
				sealed, _, err := v.Tx(n.Tx)
				if err != nil {
					return err
				}
				b, _, err := v.Block(sealed.Place().Block)
				if err != nil {
					return err
				}
				blocks[claim{recordWords[n.Kind], it.Tags[0]}] = b.Raw()
			}
		}
		return nil
	}))
}

// recordWords are what the light says of a record.
var recordWords = map[ledger.Kind]string{
	ledger.KindIntake: "TAKEN IN", ledger.KindVerdict: "ACCEPTED", ledger.KindReport: "COMPLETED",
}

var lampLine = regexp.MustCompile(`(TAKEN IN|ACCEPTED|COMPLETED) \S+ tag ([0-9A-F]+)`)

// checkLights holds every light in a trace that claims a record to the promise.
func checkLights(g *gateway, calls []call, blocks map[claim][]byte, least int) error {
	claims, dark := 0, 0
	for i, c := range calls {
		if c.name != "write" || !strings.HasSuffix(c.path, "/lamp") {
			continue
		}
		m := lampLine.FindStringSubmatch(c.text)
		if m == nil {
			if strings.Contains(c.text, "IDLE") {
				dark = i
			}
			continue
		}
		claims++
		if err := checkLight(calls, g, i, dark, claim{m[1], m[2]}, blocks); err != nil {
			return err
		}
	}
	if claims < least {
		return fmt.Errorf("%s: %d lights claim a record in the trace, want %d or more", g.name, claims, least)
	}
	return nil
}

// call is one system call that ended well.
type call struct {
	name  string
	path  string // of its descriptor
	text  string
	addr  uint64
	size  uint64
	off   uint64
	start uint64 // result of mmap
}

var (
	callLine   = regexp.MustCompile(`^(\d+) +[\d.]+ (\w+)\((.*)\) += (\S+)`)
	unfinished = regexp.MustCompile(`^(\d+) +([\d.]+) (\w+\(.*) <unfinished \.\.\.>$`)
	resumed    = regexp.MustCompile(`^(\d+) +[\d.]+ <\.\.\. \w+ resumed>(.*)$`)
	descriptor = regexp.MustCompile(`^\d+<([^>]*)>`)
)

// parseTrace reads strace's output, joining calls that another thread
// interrupted; a call stands where it ended.
func parseTrace(t *testing.T, text string) []call {
	t.Helper()
	begun := map[string]string{}
	var calls []call
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := unfinished.FindStringSubmatch(line); m != nil {
			begun[m[1]] = m[1] + " " + m[2] + " " + m[3]
			continue
		}
		if m := resumed.FindStringSubmatch(line); m != nil {
			line = begun[m[1]] + m[2]
		}
		m := callLine.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(m[4], "-") || m[4] == "?" {
			continue
		}
		calls = append(calls, parseCall(m[2], m[3], m[4]))
	}
	if len(calls) == 0 {
		t.Fatal("strace wrote nothing that can be read")
	}
	return calls
}

func parseCall(name, args, result string) call {
	c := call{name: name, text: args}
	parts := strings.Split(args, ", ")
	hex := func(i int) uint64 {
		if i >= len(parts) {
			return 0
		}
		n, _ := strconv.ParseUint(parts[i], 0, 64)
		return n
	}
	switch name {
	case "mmap":
		c.size, c.off = hex(1), hex(5)
		c.start, _ = strconv.ParseUint(strings.Fields(result)[0], 0, 64)
		if len(parts) > 4 {
			if m := descriptor.FindStringSubmatch(parts[4]); m != nil {
				c.path = m[1]
			}
		}
	case "msync", "munmap":
		c.addr, c.size = hex(0), hex(1)
	default:
		if m := descriptor.FindStringSubmatch(args); m != nil {
			c.path = m[1]
		}
	}
	return c
}

// checkLight looks for the read of the tag between the light that was dark and
// the light that claims, and for a flush of the block's bytes after it.
func checkLight(calls []call, g *gateway, light, dark int, c claim, blocks map[claim][]byte) error {
	block := blocks[c]
	if len(block) == 0 {
		return fmt.Errorf("%s says %s of tag %s, and no block does", g.name, c.word, c.tag)
	}
	read := -1
	for i := dark; i < light; i++ {
		if calls[i].name == "read" && strings.Contains(calls[i].path, "/pts/") && carries(calls[i].text, c.tag) {
			read = i
			break
		}
	}
	if read < 0 {
		return fmt.Errorf("no read of tag %s before its light", c.tag)
	}
	places, err := find(filepath.Join(g.dir, agent.DataName), block)
	if err != nil {
		return err
	}
	for _, place := range places {
		if flushed(calls, read, light, place) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s of tag %s, its %d bytes lie at %v", errNotFlushed, c.word, c.tag, len(block), places)
}

// carries reports whether the bytes that a read returned, as strace quotes them,
// contain the tag's id.
func carries(text, tag string) bool {
	open, end := strings.IndexByte(text, '"'), strings.LastIndexByte(text, '"')
	if open < 0 || end <= open {
		return false
	}
	raw := unquote(text[open+1 : end])
	want := make([]byte, len(tag)/2)
	for i := range want {
		n, _ := strconv.ParseUint(tag[2*i:2*i+2], 16, 8)
		want[i] = byte(n)
	}
	// The driver reads in pieces: the id's last bytes are what counts.
	return bytes.Contains(raw, want) || bytes.HasPrefix(raw, want[len(want)-1:]) && len(raw) <= 3
}

// unquote undoes strace's quoting: octal and the usual escapes.
func unquote(s string) []byte {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		if at := strings.IndexByte("abfnrtv\\\"", s[i]); at >= 0 {
			out = append(out, "\a\b\f\n\r\t\v\\\""[at])
			continue
		}
		n, digits := 0, 0
		for digits < 3 && i < len(s) && s[i] >= '0' && s[i] <= '7' {
			n, i, digits = n*8+int(s[i]-'0'), i+1, digits+1
		}
		i--
		out = append(out, byte(n))
	}
	return out
}

// place is where bytes lie in a file.
type place struct {
	path string
	off  uint64
}

// find returns a place in each of the files below a directory where data lies.
func find(dir string, data []byte) ([]place, error) {
	var out []place
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if at := bytes.Index(text, data); at >= 0 {
			out = append(out, place{path: path, off: uint64(at)})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the block's %d bytes are in no file of %s", len(data), dir)
	}
	return out, nil
}

// flushed reports whether a successful msync or fdatasync between two calls
// covers a place.
func flushed(calls []call, from, to int, p place) bool {
	var maps []call // of the place's file
	for i, c := range calls[:to] {
		switch {
		case c.name == "mmap" && c.path == p.path:
			maps = append(maps, c)
		case i <= from:
		case (c.name == "fdatasync" || c.name == "fsync") && c.path == p.path:
			return true
		case c.name == "msync":
			for _, m := range maps {
				at := m.start + p.off - m.off
				if c.addr <= at && at < c.addr+c.size && c.addr >= m.start && c.addr < m.start+m.size {
					return true
				}
			}
		}
	}
	return false
}
