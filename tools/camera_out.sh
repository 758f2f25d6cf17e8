#!/bin/bash
# Tests camera out with the real driver: builds v4l2loopback for Debian's kernel and runs it with the program in QEMU,
# without KVM. ffmpeg and a client that negotiates as browsers do (tools/camera_out/client.c) read the pictures, which are
# compared with the painting; a time painted into the pictures measures the latency.
#
#   tools/camera_out.sh [PROGRAM]       default: target/debug/styleforge
#
# Needs Debian's packages qemu-system-x86 cpio kmod gcc make busybox-static ffmpeg and linux-headers-amd64; downloads the
# kernel and the driver of Debian with apt-get. Leaves the log and pictures in target/camera-out. MINUTES=120 lets readers
# come and go for that long (default: 1).
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/debug/styleforge}")
mkdir -p target/camera-out
cd target/camera-out

headers=$(ls -d /usr/src/linux-headers-*-amd64 | sort -V | tail -1)
kernel=${headers#/usr/src/linux-headers-}
if [ ! -e "packages/boot/vmlinuz-$kernel" ]; then
    apt-get download "linux-image-$kernel" v4l2loopback-dkms
    for package in ./*.deb; do dpkg -x "$package" packages; done
    rm ./*.deb
fi
if [ ! -e driver/v4l2loopback.ko ]; then
    rm -rf driver
    cp -r packages/usr/src/v4l2loopback-* driver
    make -C driver KERNEL_DIR="$headers" v4l2loopback.ko >driver.log 2>&1 || { cat driver.log; exit 1; }
fi

rm -rf root
mkdir -p root/{bin,dev,proc,sys,tmp,modules}
cp "$(command -v busybox)" root/bin/
cp "$program" root/bin/styleforge
strip root/bin/styleforge
cp "$(command -v ffmpeg)" root/bin/
cc -O2 -Wall -Werror -static -o root/bin/client ../../tools/camera_out/client.c
for program in root/bin/styleforge root/bin/ffmpeg; do
    ldd "$program" | grep -o '/[^ ]*' | while read -r library; do cp -nL --parents "$library" root; done
done
modules=packages/lib/modules/$kernel/kernel/drivers/media
cp driver/v4l2loopback.ko "$modules"/mc/mc.ko "$modules"/v4l2-core/videodev.ko root/modules/
ffmpeg -y -loglevel error -f lavfi -i testsrc2=size=1280x720 -frames:v 1 root/tmp/photo.png
cp ../../tools/camera_out/guest.sh root/init
chmod +x root/init
(cd root && find . | cpio -o -H newc --quiet | gzip -1) >initramfs.gz

timeout $((900 + ${MINUTES:-1} * 60)) qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 -nographic \
    -no-reboot -kernel "packages/boot/vmlinuz-$kernel" -initrd initramfs.gz -serial file:log.txt -serial file:pictures.tar \
    -monitor none -append "console=ttyS0 quiet panic=-1 minutes=${MINUTES:-1}" </dev/null
tar -xf pictures.tar || true
sed -n 's/^RESULT //p' log.txt
! grep -q '^RESULT FAILED' log.txt && grep -q '^RESULT done' log.txt
