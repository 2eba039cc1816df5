import {
  Button, Checkbox, Input, Menu, Modal, PasswordInput, SegmentedControl, Select, Tabs, Textarea, TextInput, Tooltip, createTheme,
  type CSSVariablesResolver, type MantineColorsTuple,
} from '@mantine/core';

// The accent of the drawings: index 7 in light (#0b6e69 on white: 5.9:1), index 4 in dark with dark ink on it.
const stay: MantineColorsTuple = [
  '#e3f1ef', '#c8e5e1', '#9dd2cb', '#6cc0b6', '#3fb3a8', '#259389', '#157f78', '#0b6e69', '#085854', '#06211f',
];

const input = { vars: () => ({ wrapper: { '--input-height': '32px', '--input-fz': '13px' } }) };

/** Mantine in the colours and sizes of Backstay. All colours come from the variables of base.css. */
export const theme = createTheme({
  primaryColor: 'stay',
  primaryShade: { light: 7, dark: 4 },
  autoContrast: true,
  colors: { stay },
  defaultRadius: 6,
  cursorType: 'pointer',
  focusRing: 'auto',
  fontFamily: 'var(--font)',
  fontFamilyMonospace: 'ui-monospace, "Cascadia Mono", "SF Mono", "DejaVu Sans Mono", monospace',
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
  spacing: { xs: '8px', sm: '12px', md: '16px', lg: '24px', xl: '32px' },
  headings: { fontWeight: '650' },
  components: {
    Button: Button.extend({
      defaultProps: { variant: 'default' },
      // Only where no size is asked for: the compact ones keep their own.
      vars: (_theme, props) => ({
        root: {
          ...(props.size ? {} : { '--button-height': '30px', '--button-padding-x': '12px', '--button-fz': '13px' }),
          // Mantine would write white on the bright accent of the dark theme.
          ...(props.variant === 'filled' && !props.color ? { '--button-bg': 'var(--acc)', '--button-color': 'var(--acc-ink)' } : {}),
        },
      }),
    }),
    Input: Input.extend(input),
    // Hints below, so that fields beside each other stand in one line.
    InputWrapper: Input.Wrapper.extend({ defaultProps: { inputWrapperOrder: ['label', 'input', 'description', 'error'] } }),
    TextInput: TextInput.extend({ defaultProps: { autoComplete: 'off', spellCheck: false } }),
    PasswordInput: PasswordInput.extend({ defaultProps: { autoComplete: 'off' } }),
    Textarea: Textarea.extend({ defaultProps: { spellCheck: false } }),
    Select: Select.extend({ defaultProps: { allowDeselect: false, checkIconPosition: 'right' } }),
    Checkbox: Checkbox.extend({ defaultProps: { size: 'xs', iconColor: 'var(--acc-ink)' } }),
    SegmentedControl: SegmentedControl.extend({
      defaultProps: { size: 'xs', withItemsBorders: false },
      vars: () => ({ root: { '--sc-padding': '4px 10px', '--sc-font-size': '13px' } }),
    }),
    Modal: Modal.extend({ defaultProps: { centered: true, yOffset: '3dvh', shadow: 'md', transitionProps: { duration: 120 }, closeButtonProps: { 'aria-label': 'Close' } } }),
    Menu: Menu.extend({ defaultProps: { withInitialFocusPlaceholder: false, shadow: 'md', position: 'bottom-end', transitionProps: { duration: 80 } } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 300, events: { hover: true, focus: true, touch: false } } }),
    Tabs: Tabs.extend({ defaultProps: { keepMounted: false } }),
  },
});

/** Points Mantine's own variables at ours, so that there is one palette. */
export const cssVariables: CSSVariablesResolver = () => {
  const shared = {
    '--mantine-color-body': 'var(--panel)',
    '--mantine-color-text': 'var(--ink)',
    '--mantine-color-dimmed': 'var(--mute)',
    '--mantine-color-placeholder': 'var(--faint)',
    '--mantine-color-default': 'var(--panel)',
    '--mantine-color-default-hover': 'var(--hover)',
    '--mantine-color-default-color': 'var(--ink)',
    '--mantine-color-default-border': 'var(--line)',
    '--mantine-color-disabled': 'var(--chip)',
    '--mantine-color-disabled-color': 'var(--faint)',
    '--mantine-color-error': 'var(--bad)',
    '--mantine-color-anchor': 'var(--acc)',
    '--mantine-primary-color-filled': 'var(--acc)',
    '--mantine-primary-color-contrast': 'var(--acc-ink)',
    '--mantine-primary-color-light-color': 'var(--acc)',
    '--mantine-color-stay-light-color': 'var(--acc)',
    '--mantine-color-stay-text': 'var(--acc)',
    '--mantine-color-stay-light-hover': 'var(--acc-soft)',
  };
  // Mantine's own dark greys are without blue: boxes, unticked and wrong fields in them look soiled.
  return { variables: {}, light: shared, dark: { ...shared, '--mantine-color-dark-6': 'var(--panel)' } };
};
