package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// person is somebody at a terminal of the program.
type person struct {
	t      *testing.T
	master *os.File
	slave  *os.File
	mu     sync.Mutex
	seen   bytes.Buffer
	read   int // how much of it this person has read
	ended  chan struct{}
}

func atTerminal(t *testing.T) *person {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, master: master, slave: slave, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		buf := make([]byte, 256)
		for {
			n, err := master.Read(buf)
			p.mu.Lock()
			p.seen.Write(buf[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		slave.Close()
		master.Close()
		<-p.ended
	})
	return p
}

func (p *person) screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.String()
}

// answers waits for each question and types what comes after it.
func (p *person) answers(dialogue ...string) {
	for i := 0; i+1 < len(dialogue); i += 2 {
		end := time.Now().Add(patience)
		for !strings.Contains(p.screen()[p.read:], dialogue[i]) {
			if time.Now().After(end) {
				p.t.Errorf("not asked %q: %q", dialogue[i], p.screen())
				return
			}
			time.Sleep(time.Millisecond)
		}
		p.read += strings.Index(p.screen()[p.read:], dialogue[i]) + len(dialogue[i])
		if _, err := io.WriteString(p.master, dialogue[i+1]); err != nil {
			p.t.Error(err)
		}
	}
}

// runs runs the program at the terminal while the person answers.
func (p *person) runs(ctx context.Context, args []string, dialogue ...string) (code int, stdout string) {
	p.t.Helper()
	var out bytes.Buffer
	a := newApp(p.slave, &out, p.slave, func(string) string { return "" })
	a.workFactor = 4
	var typing sync.WaitGroup
	typing.Go(func() { p.answers(dialogue...) })
	code = a.run(ctx, args)
	typing.Wait()
	return code, out.String()
}

func TestPassphrasesAreAskedFor(t *testing.T) {
	t.Parallel()
	p := atTerminal(t)
	before, err := term.GetState(int(p.slave.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "a.key")
	ask, first, again := "passphrase of "+file+": ", "new passphrase of "+file+": ", "the same again: "
	for _, c := range []struct {
		args     string
		dialogue []string
		code     int
		says     string // on stdout, or after the last question
	}{
		{"key new -o", []string{first, "correct horse\r", again, "correct house\r"}, exitFailed, "the two passphrases differ"},
		{"key new -o", []string{first, "short\r", again, "short\r"}, exitUsage, "passphrase is too short"},
		{"key new -o", []string{first, "corr\x03"}, exitFailed, "it was interrupted"},
		{"key new -o", []string{first, "\x04"}, exitFailed, "it was interrupted"},
		{"key new -o", []string{first, "correct hörs\x7fse\r", again, "correct hörse\r"}, exitOK, "protected by a passphrase"},
		{"key show", []string{ask, "correct hörse\r"}, exitOK, "Ed25519"},
		{"key show", []string{ask, "correct horse\r"}, exitNotPermitted, "wrong passphrase"},
		{"key passphrase", []string{ask, "correct hörse\r", first, "another horse\r", again, "another horse\r"}, exitOK, "protected by a passphrase"},
		{"key passphrase --clear", []string{ask, "another horse\r"}, exitOK, "in clear"},
		{"key show", nil, exitOK, "in clear"},
	} {
		code, out := p.runs(t.Context(), append(strings.Fields(c.args), file), c.dialogue...)
		if c.code != exitOK {
			p.answers(c.says, "")
			out = p.screen()
		}
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("traveler %s: exit code %d: %s", c.args, code, out)
		}
		if now, err := term.GetState(int(p.slave.Fd())); err != nil || *now != *before {
			t.Errorf("traveler %s leaves the terminal otherwise than it was: %v", c.args, err)
		}
	}
	for _, secret := range []string{"correct", "hörse", "another"} {
		if strings.Contains(p.screen(), secret) {
			t.Errorf("%q was shown", secret)
		}
	}
}

// TestAskingEndsWithTheProgram: a question does not outlive what asks it.
func TestAskingEndsWithTheProgram(t *testing.T) {
	t.Parallel()
	p := atTerminal(t)
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	waiting.Go(func() {
		p.answers("new passphrase of ", "half a passphr")
		cancel()
	})
	if code, _ := p.runs(ctx, []string{"key", "new", "-o", filepath.Join(t.TempDir(), "a.key")}); code != exitFailed {
		t.Errorf("exit code %d: %s", code, p.screen())
	}
	waiting.Wait()
}
