package agent

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func protecting(p Protection) KeyForm {
	return KeyForm{Protect: func(string) (Protection, error) { return p, nil }}
}

func TestRewriteKey(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "a.key"), filepath.Join(dir, "link.key")
	key := privateKey("a")
	must(t, SaveKey(path, key, Protection{}))
	must(t, os.Symlink(path, link))
	for _, step := range []struct {
		path, old string
		next      Protection
	}{
		{path, "", quick("first words")},
		{path, "first words", quick("other words")},
		{link, "other words", quick("last words!")},
		{path, "last words!", Protection{}},
		{path, "", Protection{}},
	} {
		must(t, os.WriteFile(path+newSuffix, []byte("of a rewriting that was killed"), 0o600))
		got, err := RewriteKey(step.path, knows(step.old), protecting(step.next))
		if err != nil || !sameKey(key, got) {
			t.Fatalf("to %q: %v", step.next.Passphrase, err)
		}
		if got, err := LoadKey(path, knows(step.next.Passphrase)); err != nil || !sameKey(key, got) {
			t.Errorf("to %q: read: %v", step.next.Passphrase, err)
		}
		if protected, err := KeyProtected(path); err != nil || protected != (step.next.Passphrase != "") {
			t.Errorf("to %q: protected %v, %v", step.next.Passphrase, protected, err)
		}
		if exists(path + newSuffix) {
			t.Error("something is left beside the key")
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link is one no more: %v", err)
	}
}

// TestRewriteRefused: what cannot be done leaves the file as it was.
func TestRewriteRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.key")
	must(t, SaveKey(path, privateKey("a"), quick("first words")))
	before, err := os.ReadFile(path)
	must(t, err)
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		old  string
		form KeyForm
		want error
	}{
		"wrong passphrase":    {"other words", protecting(Protection{}), ErrPassphrase},
		"no new one":          {"first words", KeyForm{Protect: func(string) (Protection, error) { return Protection{}, refused }}, refused},
		"cannot be read back": {"first words", protecting(Protection{Passphrase: "x", WorkFactor: workFactor + 1}), nil},
	} {
		if name == "cannot be read back" && testing.Short() {
			continue // the work of scrypt takes a second
		}
		if _, err := RewriteKey(path, knows(c.old), c.form); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) || exists(path+newSuffix) {
			t.Errorf("%s: the file changed: %v", name, err)
		}
	}
	if _, err := RewriteKey(filepath.Join(dir, "none"), nil, KeyForm{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

const killAt = "TRAVELER_TEST_KILL_AT"

// TestRewriteKilled kills the process after each step of a rewriting: the file
// holds the key, in the old form or the new one, and a next rewriting succeeds.
func TestRewriteKilled(t *testing.T) {
	if at, child := os.LookupEnv(killAt); child {
		r := rewriting{path: os.Getenv("TRAVELER_TEST_KEY"), at: func(step string) {
			if step == at {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}}
		_, err := r.do(knows("first words"), protecting(quick("other words")))
		t.Fatalf("not killed: %v", err)
	}
	for step, now := range map[string]string{"written": "first words", "read again": "first words", "renamed": "other words"} {
		path := filepath.Join(t.TempDir(), "a.key")
		must(t, SaveKey(path, privateKey("a"), quick("first words")))
		child := exec.Command(os.Args[0], "-test.run=^TestRewriteKilled$")
		child.Env = append(os.Environ(), killAt+"="+step, "TRAVELER_TEST_KEY="+path)
		out, err := child.CombinedOutput()
		if err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("%s: %v: %s", step, err, out)
		}
		if key, err := LoadKey(path, knows(now)); err != nil || !sameKey(privateKey("a"), key) {
			t.Errorf("killed after %s: %v", step, err)
		}
		if _, err := RewriteKey(path, knows(now), protecting(quick("last words!"))); err != nil {
			t.Errorf("after a kill after %s: %v", step, err)
		}
	}
}
