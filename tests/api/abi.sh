#!/bin/sh
# abi.sh ABI NM OBJECT...: the objects, compiled for one of mlx-c's interfaces, define the functions that it has and
# none of those that came later.
set -eu
abi=$1 nm=$2
shift 2

since_0_6_0="bartlett blackman hamming hanning"
since_0_6_0_plus_4="distributed_group_new distributed_group_free fft_fftfreq fft_rfftfreq
    slice_update_add slice_update_max slice_update_min slice_update_prod"
case $abi in
0.5.0) present= absent="$since_0_6_0 $since_0_6_0_plus_4" ;;
0.6.0) present=$since_0_6_0 absent=$since_0_6_0_plus_4 ;;
*) present="$since_0_6_0 $since_0_6_0_plus_4" absent= ;;
esac

names=$("$nm" --defined-only "$@" | awk 'NF == 3 { print $3 }')
failed=0
has() { printf '%s\n' "$names" | grep -qx "_*mlx_$1"; }
for name in fft_fft distributed_init fast_scaled_dot_product_attention $present; do
    has "$name" || { echo "not ok mlx_$name is missing in $abi"; failed=1; }
done
for name in $absent; do
    ! has "$name" || { echo "not ok mlx_$name is in $abi, which does not have it"; failed=1; }
done
exit $failed
