package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"traveler.example/agent"
)

// TestFlashedBoardEnrolsItself starts the daemon of a flashed card, with the card as its
// whole world and with the rights of the card's own user: it makes its key, redeems
// its ticket and serves. The steps of the first-boot unit are done by hand.
func TestFlashedBoardEnrolsItself(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may change its root: left out")
	}
	for _, tool := range []string{"systemd-sysusers", "systemd-tmpfiles"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed (Debian package systemd): left out", tool)
		}
	}
	daemon, err := buildDaemon()
	if err != nil {
		t.Fatal(err)
	}
	network, root := t.TempDir(), t.TempDir()
	for _, dir := range []string{"etc", "usr", "tmp"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"network", "init", "plant", "--clear", "--dir", network},
		{"gateway", "ticket", "G-SAW", "--station", "SAW-1", "--profile", "drilling", "--board", "generic-" + runtime.GOARCH, "--broker", "mqtt://127.0.0.1:1", "--dir", network},
		{"flash", "G-SAW", "--root", root, "--binary", daemon, "--dir", network},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), args, nil, &out, &out, func(string) string { return "" }); code != exitOK {
			t.Fatalf("traveler %q: exit code %d\n%s", args, code, &out)
		}
	}
	uid, gid := firstBoot(t, root)
	log := startOn(t, root, uid, gid)

	identity := filepath.Join(root, "etc/traveler/identity")
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		_, err := os.Stat(filepath.Join(identity, agent.TicketName))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log)
			t.Fatalf("after %s the ticket is still there (%v)\n%s", patience, err, text)
		}
	}
	if _, err := agent.LoadKey(filepath.Join(identity, agent.BoardKey), nil); err != nil {
		t.Errorf("the key made on the board: %v", err)
	}
}

// firstBoot does what traveler-first-boot.service and the unit's directories do. It
// returns the numbers of the card's user and group.
func firstBoot(t *testing.T, root string) (uid, gid uint32) {
	t.Helper()
	for _, step := range [][]string{
		{"systemd-sysusers", "--root=" + root, "traveler.conf"},
		{"systemd-tmpfiles", "--root=" + root, "--create", "traveler.conf"},
	} {
		if out, err := exec.Command(step[0], step[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", step, err, out)
		}
	}
	passwd, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(passwd), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "traveler:") })
	if i < 0 {
		t.Fatalf("no user traveler:\n%s", passwd)
	}
	var numbers [2]int
	for k, field := range strings.Split(lines[i], ":")[2:4] {
		if numbers[k], err = strconv.Atoi(field); err != nil {
			t.Fatal(err)
		}
	}
	identity := filepath.Join(root, "etc/traveler/identity")
	own := []string{identity, filepath.Join(identity, agent.TicketName)}
	for _, dir := range []string{"var/lib/traveler", "run/traveler"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		own = append(own, filepath.Join(root, dir))
	}
	for _, path := range own {
		if err := os.Chown(path, numbers[0], numbers[1]); err != nil {
			t.Fatal(err)
		}
	}
	return uint32(numbers[0]), uint32(numbers[1])
}

// startOn runs the daemon of the card until the test ends, and returns its log.
func startOn(t *testing.T, root string, uid, gid uint32) string {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "/usr/bin/travelerd", "--profile", "/etc/traveler/profile.toml")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = "/", []string{}, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	if err := errors.Join(cmd.Start(), log.Close()); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	return log.Name()
}
