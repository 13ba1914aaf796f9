package disk

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// open opens the device for reading, and checks that it is the one that sysfs means. An empty drive is opened too, so
// that it does not pull its tray in. Below a root that is only the picture of a machine, a file stands for a device.
func (d Disk) open() (*os.File, error) {
	f, err := os.OpenFile(d.path(), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(int(f.Fd()), &st); err == nil {
		isDevice := st.Mode&unix.S_IFMT == unix.S_IFBLK && fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)) == d.number
		isPicture := st.Mode&unix.S_IFMT == unix.S_IFREG && d.root != "/"
		if !isDevice && !isPicture {
			err = fmt.Errorf("%s is not the device %s", d.path(), d.number)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Open mounts the disk and gives its files: read-only, without set-user-id, devices, programs and symbolic links. The
// mount is never a part of the machine's tree, in no mount namespace but one of its own, and it ends with Close, or
// with the process. It needs root. It wraps datasources.ErrNotReady if the disk does not answer.
func (d Disk) Open(ctx context.Context) (*Tree, error) {
	t := &Tree{name: "/dev/" + d.Name, left: MaxTotal, close: func() error { return nil }}
	mounted := -1
	err := t.within(ctx, "the file system", func(func()) (err error) {
		mounted, err = d.mount()
		return err
	})
	if err != nil {
		return nil, err
	}
	t.close = func() error { return unix.Close(mounted) }
	t.open = func(path string) (*os.File, error) {
		how := unix.OpenHow{
			Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
		}
		fd, err := unix.Openat2(mounted, path, &how)
		switch {
		case errors.Is(err, unix.ELOOP):
			return nil, errors.New("a symbolic link")
		case err != nil:
			return nil, err
		}
		return os.NewFile(uintptr(fd), path), nil
	}
	return t, nil
}

// mount gives a descriptor of the root of the mounted file system.
func (d Disk) mount() (int, error) {
	device, err := d.open()
	if err != nil {
		return -1, err
	}
	defer device.Close()
	fsfd, err := unix.Fsopen(d.Type, unix.FSOPEN_CLOEXEC)
	switch {
	case errors.Is(err, unix.ENODEV):
		return -1, fmt.Errorf("the kernel does not know %s, and has no module of that name: %w", d.Type, err)
	case err != nil:
		return -1, fmt.Errorf("mount: %w", err)
	}
	defer unix.Close(fsfd)
	// By its descriptor, so that it is the device that was looked at.
	err = unix.FsconfigSetString(fsfd, "source", fmt.Sprintf("/proc/self/fd/%d", device.Fd()))
	if err == nil {
		err = unix.FsconfigSetFlag(fsfd, "ro")
	}
	if err == nil && d.Type == ISO9660 {
		err = unix.FsconfigSetFlag(fsfd, "utf8") // else Joliet's names need a module for a character set
	}
	if err == nil {
		err = unix.FsconfigCreate(fsfd)
	}
	if err != nil {
		return -1, fmt.Errorf("mount: %w", err)
	}
	const attributes = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	fd, err := unix.Fsmount(fsfd, unix.FSMOUNT_CLOEXEC, attributes|unix.MOUNT_ATTR_NOSYMFOLLOW)
	if errors.Is(err, unix.EINVAL) { // before Linux 5.14; links are refused when a file is opened, too
		fd, err = unix.Fsmount(fsfd, unix.FSMOUNT_CLOEXEC, attributes)
	}
	if err != nil {
		return -1, fmt.Errorf("mount: %w", err)
	}
	return fd, nil
}
