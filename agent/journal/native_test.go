package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"traveler.example/systemd"
)

// streamOf returns what systemd would write into JOURNAL_STREAM for f.
func streamOf(t *testing.T, f *os.File) string {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// journald starts the real journal in a mount namespace of its own, runs the
// program given as argument under it, and keeps what was written in $OUT.
const journald = `
set -e
mount -t tmpfs -o size=64m tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal
mount -t tmpfs tmpfs /var/log
"$JOURNALD" 2>"$OUT/journald" &
daemon=$!
n=0
until [ -S /run/systemd/journal/stdout ] && [ -S /run/systemd/journal/socket ]; do
	n=$((n+1)); [ $n -lt 300 ]; sleep 0.1
done
systemd-cat --identifier=lines sh -c 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$0" "$@"' "$@"
journalctl --sync
journalctl --directory=/run/log/journal TRAVELER_EVENT=reader.down -o json --no-pager >"$OUT/json"
kill $daemon
wait $daemon || true
cp -r /run/log/journal "$OUT/files"
`

// TestUnderJournal writes one event when it runs under the script above.
func TestUnderJournal(t *testing.T) {
	if os.Getenv("TRAVELER_TEST_UNDER_JOURNAL") == "" {
		t.Skip("runs within TestEventsReachTheJournalWithTheirCatalogEntries")
	}
	h := Open(os.Stderr, os.Getenv, slog.LevelInfo)
	if _, ok := h.(*native); !ok {
		t.Fatal("the journal was not recognised")
	}
	j := New(h, time.Now).With(slog.String(KeyStation, "DRILL-1"))
	j.Event(t.Context(), ReaderDown, "reader bench\tdoes not answer", slog.String(KeyReader, "bench"),
		slog.String(KeyPort, "/dev/ttyUSB7"), slog.String(KeyError, "no such\ndevice"), slog.Int(KeyErrno, 19),
		slog.String("_PID", "1"), slog.String("message", "forged"), slog.Duration(KeyLasted, 90*time.Second))
}

func TestEventsReachTheJournalWithTheirCatalogEntries(t *testing.T) {
	daemon := "/lib/systemd/systemd-journald"
	for _, tool := range []string{daemon, "unshare", "systemd-cat", "journalctl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed (Debian packages systemd, util-linux): left out", tool)
		}
	}
	if id, err := os.ReadFile("/etc/machine-id"); os.Geteuid() != 0 || err != nil || len(id) < 32 {
		t.Skip("a journal of its own needs root and a machine id: left out")
	}
	out := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.CommandContext(ctx, "unshare", "-m", "true").Run(); err != nil {
		t.Skipf("mount namespaces are not allowed here (%v): left out", err)
	}
	run := exec.CommandContext(ctx, "unshare", "-m", "--propagation", "private", "sh", "-c", journald, "sh",
		program, "-test.run=^TestUnderJournal$")
	run.Env = append(os.Environ(), "OUT="+out, "JOURNALD="+daemon, "TRAVELER_TEST_UNDER_JOURNAL=1")
	if text, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	checkEntry(t, filepath.Join(out, "json"))
	checkExplanation(t, filepath.Join(out, "files"))
}

// checkEntry checks the fields of the one entry, as journalctl gives them.
func checkEntry(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var entry map[string]any
	if err := json.Unmarshal(text, &entry); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	d, _ := Lookup(ReaderDown)
	for field, want := range map[string]string{
		"MESSAGE": `reader bench\tdoes not answer`, "MESSAGE_ID": d.MessageID, "TRAVELER_EVENT": "reader.down", "PRIORITY": "3",
		"READER": "bench", "PORT": "/dev/ttyUSB7", "STATION": "DRILL-1", "ERROR": "no such\ndevice", "ERRNO": "19",
		"LASTED": "1m30s", "PID": "1", "FIELD_MESSAGE": "forged", "SYSLOG_IDENTIFIER": "travelerd",
	} {
		if entry[field] != want {
			t.Errorf("%s is %v, want %q", field, entry[field], want)
		}
	}
}

// checkExplanation checks what a person sees with journalctl -x once the catalogs are
// installed, in both languages.
func checkExplanation(t *testing.T, files string) {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "var/lib/systemd/catalog"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range systemd.Files() {
		place := filepath.Join(root, f.Path)
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(place, f.Text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// journalctl reads one place only for its compiled catalog, so the new one is put over it for the command alone.
	script := `set -e
journalctl --update-catalog --root="$1"
mkdir -p /var/lib/systemd/catalog
mount --bind "$1/var/lib/systemd/catalog" /var/lib/systemd/catalog
exec journalctl --directory="$2" -x --no-pager TRAVELER_EVENT=reader.down`
	for locale, wants := range map[string][]string{
		"C.UTF-8": {
			"Subject: Reader bench does not answer",
			"What happened: The reader on /dev/ttyUSB7 stopped answering",
			"What it means: Items cannot be scanned on it.",
			"What to do: Check the reader's cable and power.",
		},
		"de_DE.UTF-8": {
			"Subject: Lesegerät bench antwortet nicht",
			"Was geschehen ist: Das Lesegerät an /dev/ttyUSB7 antwortet nicht mehr",
			"Was das bedeutet: Damit lassen sich keine Teile scannen.",
			"Was zu tun ist: Prüfen Sie Kabel und Strom des Lesegeräts.",
		},
	} {
		cmd := exec.CommandContext(t.Context(), "unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", root, files)
		cmd.Env = append(os.Environ(), "LC_ALL="+locale)
		if locale != "C.UTF-8" {
			cmd.Env = append(cmd.Env, "LOCPATH="+germanLocale(t))
		}
		text, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: no %q in\n%s", locale, want, text)
			}
		}
	}
}

// germanLocale returns a directory for LOCPATH that has de_DE.UTF-8. Systems without German
// have none; journalctl asks for its name only, so C's content does.
func germanLocale(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink("/usr/lib/locale/C.utf8", filepath.Join(dir, "de_DE.UTF-8")); err != nil {
		t.Fatal(err)
	}
	return dir
}
