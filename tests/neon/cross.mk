# cross.mk: the kernels and their tests for 64-bit Arm, by tests/neon/check.sh, in a folder of its own.
# From the command line: SRCDIR, CROSS_CC, SOURCES (of the tiers and tests), NEON_CFLAGS, NEONDOT_CFLAGS,
# NEONBF16_CFLAGS.

OBJECTS = $(patsubst %.c,%.o,$(filter %.c,$(SOURCES)) tests/support/support.c)
FLAGS = -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -MMD -I. -I$(SRCDIR)/tests/neon -I$(SRCDIR)/src \
	-I$(SRCDIR) -I$(SRCDIR)/tests -DOMMA_TIER_NEON -DOMMA_TIER_NEONDOT -DOMMA_TIER_NEONBF16

VPATH = $(SRCDIR)

all: kernels tiers

simd/neon/%.o: FLAGS += $(NEON_CFLAGS)
simd/neondot/%.o: FLAGS += $(NEONDOT_CFLAGS)
simd/neonbf16/%.o: FLAGS += $(NEONBF16_CFLAGS)

%.o: %.c config.h
	@mkdir -p $(@D)
	$(CROSS_CC) $(FLAGS) -c -o $@ $<

# Tiers are named in FLAGS; nothing else of it is asked for.
config.h:
	: > $@

kernels: $(OBJECTS)
	$(CROSS_CC) -static -o $@ $^ -lm

tiers: tests/neon/tiers.o $(filter simd/%,$(OBJECTS))
	$(CROSS_CC) -static -o $@ $^ -lm

-include $(OBJECTS:.o=.d)
.PHONY: all
